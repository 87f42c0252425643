"use strict";
// Three planes with one crosshair over volumes that lie in this file. Arrays run Z (to the feet), Y (to the back),
// X (to the patient's left), so that rows run down and columns to the right in every plane: the patient's right is on
// the left of the screen.
const VIEWS = [
  { name: "axial", n: 0, r: 1, c: 2 },
  { name: "coronal", n: 1, r: 0, c: 2 },
  { name: "sagittal", n: 2, r: 0, c: 1 },
];
const MAPS = {
  grey: [[0, 0, 0], [255, 255, 255]],
  // zero is black; blue and orange are told apart with every colour vision
  signed: [[120, 200, 255], [30, 110, 200], [0, 0, 0], [215, 110, 0], [255, 205, 110]],
  heat: [[0, 0, 4], [59, 15, 112], [140, 41, 129], [222, 73, 104], [254, 159, 109], [252, 253, 191]],
};
const clamp = (v, low, high) => Math.min(high, Math.max(low, v));

async function decoded(id, shape) {
  const text = document.getElementById(id).textContent.trim();
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const levels = new Uint8Array(await new Response(stream).arrayBuffer());
  const width = shape[2], area = shape[1] * width;
  for (let i = width; i < levels.length; i++) if (i % area >= width) levels[i] += levels[i - width]; // modulo 256
  for (let i = 1; i < levels.length; i++) if (i % width) levels[i] += levels[i - 1];
  return levels;
}

// Which voxels of a layer a place of the common grid takes along one axis, and how much of each.
function taps(layer, axis, index, grid) {
  const size = layer.shape[axis];
  const at = (index * grid.spacing[axis] - layer.offset[axis]) / layer.spacing[axis];
  if (at < -0.5 - 1e-4 || at > size - 0.5 + 1e-4) return null;
  if (!layer.cubic) return [[clamp(Math.round(at - 1e-6), 0, size - 1), 1]];
  const first = Math.floor(at) - 1;
  return [0, 1, 2, 3].map((tap) => {
    const d = Math.abs(at - first - tap); // Keys' cubic convolution, a = -0.5
    const weight = d <= 1 ? 1.5 * d ** 3 - 2.5 * d ** 2 + 1 : d < 2 ? -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2 : 0;
    return [clamp(first + tap, 0, size - 1), weight];
  });
}

// One plane of a layer on the common grid, in the unit of the image; not a number outside of the layer.
function plane(layer, view, index, grid) {
  const rows = grid.shape[view.r], columns = grid.shape[view.c], out = new Float32Array(rows * columns).fill(NaN);
  if (layer.minus) {
    const [one, other] = layer.minus.map((part) => plane(part, view, index, grid));
    return out.map((_, i) => one[i] - other[i]);
  }
  const stride = [layer.shape[1] * layer.shape[2], layer.shape[2], 1], across = taps(layer, view.n, index, grid);
  if (!across) return out;
  const height = layer.shape[view.r], width = layer.shape[view.c], slice = new Float32Array(height * width);
  for (const [k, weight] of across)
    for (let r = 0, i = 0; r < height; r++)
      for (let c = 0; c < width; c++)
        slice[i++] += weight * layer.levels[k * stride[view.n] + r * stride[view.r] + c * stride[view.c]];
  const columnTaps = Array.from({ length: columns }, (_, c) => taps(layer, view.c, c, grid));
  const wide = new Float32Array(height * columns).fill(NaN);
  for (let c = 0; c < columns; c++)
    if (columnTaps[c])
      for (let r = 0; r < height; r++) {
        let sum = 0;
        for (const [k, weight] of columnTaps[c]) sum += weight * slice[r * width + k];
        wide[r * columns + c] = sum;
      }
  for (let r = 0; r < rows; r++) {
    const rowTaps = taps(layer, view.r, r, grid);
    if (!rowTaps) continue;
    for (let c = 0; c < columns; c++) {
      let sum = 0;
      for (const [k, weight] of rowTaps) sum += weight * wide[k * columns + c];
      out[r * columns + c] = layer.low + layer.step * sum;
    }
  }
  return out;
}

function lookup(name) {
  const stops = MAPS[name], table = new Uint8Array(3 * 256);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (stops.length - 1), k = Math.min(stops.length - 2, Math.floor(at));
    for (let j = 0; j < 3; j++) table[3 * i + j] = stops[k][j] + (at - k) * (stops[k + 1][j] - stops[k][j]);
  }
  return table;
}
const TABLES = Object.fromEntries(Object.keys(MAPS).map((name) => [name, lookup(name)]));

class Viewer {
  constructor(root) {
    this.root = root;
    this.part = (name) => root.querySelector(`[data-part=${name}]`);
    this.panels = VIEWS.map((view) => {
      const canvas = root.querySelector(`canvas[data-view=${view.name}]`);
      return { view, canvas, picture: document.createElement("canvas") };
    });
    this.listen();
    new ResizeObserver(() => this.draw()).observe(root);
  }

  async open(scene) {
    this.stop();
    root_busy(this.root, true);
    for (const layer of scene.layers) if (layer.data && !layer.levels) layer.levels = await decoded(layer.data, layer.shape);
    for (const layer of scene.layers) {
      if (layer.of) layer.levels = scene.layers.find((other) => other.id === layer.of).levels;
      if (layer.difference) layer.minus = layer.difference.map((id) => scene.layers.find((other) => other.id === id));
    }
    this.scene = scene;
    this.layer = { a: scene.show[0], b: scene.show[1] };
    for (const side of ["a", "b"]) {
      const select = this.part(side);
      select.replaceChildren(...scene.layers.map((layer) => new Option(layer.label, layer.id)));
      select.value = this.layer[side];
    }
    this.mode = "swipe";
    this.split = 0.5;
    this.reset();
    root_busy(this.root, false);
  }

  reset() {
    this.at = this.scene.start.slice();
    this.zoom = 1;
    this.centre = this.scene.grid.shape.map((n, i) => ((n - 1) / 2) * this.scene.grid.spacing[i]);
    this.window = this.scene.window.slice();
    this.show();
  }

  show() {
    const [low, high] = this.scene.window, level = this.part("level"), width = this.part("width");
    for (const input of [level, width]) input.step = (high - low) / 200;
    [level.min, level.max] = [low, high];
    [width.min, width.max] = [(high - low) / 50, 1.5 * (high - low)];
    level.value = (this.window[0] + this.window[1]) / 2;
    width.value = this.window[1] - this.window[0];
    this.part("split").value = this.split;
    for (const button of this.root.querySelectorAll("[data-mode]"))
      button.setAttribute("aria-pressed", String(button.dataset.mode === this.mode));
    this.draw();
  }

  byId(id) { return this.scene.layers.find((layer) => layer.id === id); }

  range(layer) { return layer.range || this.window; }

  draw() {
    if (!this.scene) return;
    for (const panel of this.panels) this.drawPanel(panel);
    this.tell();
  }

  drawPanel({ view, canvas, picture }) {
    const grid = this.scene.grid, side = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const context = canvas.getContext("2d"), [rows, columns] = [grid.shape[view.r], grid.shape[view.c]];
    context.fillStyle = "#000";
    context.fillRect(0, 0, side, side);
    const longest = Math.max(...grid.shape.map((n, i) => n * grid.spacing[i]));
    const scale = (panel_share * side * this.zoom) / longest; // pixels of the screen in a mm
    canvas.place = {
      scale,
      left: side / 2 - (this.centre[view.c] + grid.spacing[view.c] / 2) * scale,
      top: side / 2 - (this.centre[view.r] + grid.spacing[view.r] / 2) * scale,
    };
    const shown = this.mode === "swipe" ? [["a", 0, this.split], ["b", this.split, 1]] : [[this.single(), 0, 1]];
    for (const [which, from, to] of shown) {
      const layer = this.byId(this.layer[which]);
      picture.width = columns;
      picture.height = rows;
      picture.getContext("2d").putImageData(this.coloured(layer, plane(layer, view, this.at[view.n], grid), columns), 0, 0);
      context.save();
      context.beginPath();
      context.rect(from * side, 0, (to - from) * side, side);
      context.clip();
      context.imageSmoothingEnabled = !layer.voxels;
      context.imageSmoothingQuality = "high";
      const { left, top } = canvas.place;
      context.drawImage(picture, left, top, columns * grid.spacing[view.c] * scale, rows * grid.spacing[view.r] * scale);
      context.restore();
    }
    this.drawOver(context, view, side, canvas.place);
  }

  coloured(layer, values, columns) {
    const [low, high] = this.range(layer), table = TABLES[layer.map], image = new ImageData(columns, values.length / columns);
    for (let i = 0; i < values.length; i++) {
      const at = 3 * clamp(Math.round((255 * (values[i] - low)) / (high - low)) || 0, 0, 255);
      image.data[4 * i] = table[at];
      image.data[4 * i + 1] = table[at + 1];
      image.data[4 * i + 2] = table[at + 2];
      image.data[4 * i + 3] = Number.isNaN(values[i]) ? 0 : 255;
    }
    return image;
  }

  drawOver(context, view, side, place) {
    const ratio = devicePixelRatio, grid = this.scene.grid, gap = 10 * ratio;
    const x = place.left + (this.at[view.c] + 0.5) * grid.spacing[view.c] * place.scale;
    const y = place.top + (this.at[view.r] + 0.5) * grid.spacing[view.r] * place.scale;
    const line = (x0, y0, x1, y1, colour, width) => {
      context.strokeStyle = colour;
      context.lineWidth = width * ratio;
      context.beginPath();
      context.moveTo(x0, y0);
      context.lineTo(x1, y1);
      context.stroke();
    };
    for (const ends of [[x, 0, x, y - gap], [x, y + gap, x, side], [0, y, x - gap, y], [x + gap, y, side, y]])
      line(...ends, "rgba(86,180,233,.55)", 1);
    if (this.mode === "swipe") line(this.split * side, 0, this.split * side, side, "#f0e442", 1.5);
    context.fillStyle = "#fff";
    context.font = `${13 * ratio}px sans-serif`;
    const [low, high] = [this.scene.low_letters, this.scene.high_letters];
    const write = (text, atX, atY, align, base) => {
      context.textAlign = align;
      context.textBaseline = base;
      context.lineWidth = 3 * ratio;
      context.strokeStyle = "#000";
      context.strokeText(text, atX, atY);
      context.fillText(text, atX, atY);
    };
    const edge = 5 * ratio;
    write(low[view.c], edge, side / 2, "left", "middle");
    write(high[view.c], side - edge, side / 2, "right", "middle");
    write(low[view.r], side / 2, edge, "center", "top");
    write(high[view.r], side / 2, side - edge, "center", "bottom");
    context.font = `${11 * ratio}px sans-serif`;
    const name = (which) => this.byId(this.layer[which]).label;
    write(name(this.mode === "swipe" ? "a" : this.single()), edge, edge, "left", "top");
    if (this.mode === "swipe") write(name("b"), side - edge, edge, "right", "top");
  }

  single() { return this.mode === "b" || (this.mode === "flicker" && this.phase) ? "b" : "a"; }

  value(layer) {
    if (layer.minus) return this.value(layer.minus[0]) - this.value(layer.minus[1]);
    const axes = [0, 1, 2].map((axis) => taps(layer, axis, this.at[axis], this.scene.grid));
    if (axes.some((axis) => !axis)) return NaN;
    let sum = 0;
    for (const [z, wz] of axes[0]) for (const [y, wy] of axes[1]) for (const [x, wx] of axes[2])
      sum += wz * wy * wx * layer.levels[(z * layer.shape[1] + y) * layer.shape[2] + x];
    return layer.low + layer.step * sum;
  }

  tell() {
    const { origin, steps } = this.scene.world; // R, A, S
    const mm = [0, 1, 2].map((i) => origin[i] + this.at.reduce((sum, n, axis) => sum + n * steps[axis][i], 0));
    this.part("place").textContent = "R A S".split(" ").map((letter, i) => `${letter} ${mm[i].toFixed(1)}`).join("  ") + " mm";
    this.part("values").replaceChildren(...this.scene.layers.map((layer) => {
      const row = document.createElement("tr"), value = this.value(layer);
      const words = [layer.label, Number.isNaN(value) ? "outside" : short(value), layer.unit || ""];
      for (const [i, word] of words.entries()) {
        const cell = row.insertCell();
        cell.textContent = word;
        if (i === 1) cell.className = "number";
      }
      return row;
    }));
    const bars = this.part("bars");
    bars.replaceChildren(...[...new Set([this.layer.a, this.layer.b])].map((id) => {
      const layer = this.byId(id), [low, high] = this.range(layer), bar = document.createElement("div");
      const ramp = MAPS[layer.map].map((colour) => `rgb(${colour})`).join(",");
      bar.className = "bar";
      bar.innerHTML = "<span></span><i></i><span></span><b></b>";
      bar.children[0].textContent = short(low);
      bar.children[1].style.background = `linear-gradient(90deg, ${ramp})`;
      bar.children[2].textContent = short(high);
      bar.children[3].textContent = layer.label + (layer.unit ? ` (${layer.unit})` : "");
      return bar;
    }));
  }

  stop() {
    clearInterval(this.timer);
    this.phase = false;
  }

  setMode(mode) {
    this.stop();
    this.mode = mode;
    if (mode === "flicker") this.timer = setInterval(() => { this.phase = !this.phase; this.draw(); }, 700);
    this.show();
  }

  move(axis, by) {
    this.at[axis] = clamp(this.at[axis] + by, 0, this.scene.grid.shape[axis] - 1);
    this.draw();
  }

  setZoom(zoom) {
    const before = this.zoom, { grid } = this.scene;
    this.zoom = clamp(zoom, 1, 12);
    this.centre = this.centre.map((mm, i) => { // what lies under the crosshair stays where it is
      const here = this.at[i] * grid.spacing[i];
      return this.zoom === 1 ? ((grid.shape[i] - 1) / 2) * grid.spacing[i] : here + ((mm - here) * before) / this.zoom;
    });
    this.draw();
  }

  setWindow(level, width) {
    this.window = [level - width / 2, level + width / 2];
    this.show();
  }

  listen() {
    for (const side of ["a", "b"])
      this.part(side).addEventListener("change", (event) => { this.layer[side] = event.target.value; this.draw(); });
    for (const button of this.root.querySelectorAll("[data-mode]"))
      button.addEventListener("click", () => this.setMode(button.dataset.mode));
    this.part("split").addEventListener("input", (event) => { this.split = Number(event.target.value); this.draw(); });
    for (const name of ["level", "width"])
      this.part(name).addEventListener("input", () =>
        this.setWindow(Number(this.part("level").value), Number(this.part("width").value)));
    this.part("reset").addEventListener("click", () => this.reset());
    this.part("nearer").addEventListener("click", () => this.setZoom(this.zoom * 1.5));
    this.part("farther").addEventListener("click", () => this.setZoom(this.zoom / 1.5));
    for (const panel of this.panels) this.listenTo(panel);
  }

  listenTo({ view, canvas }) {
    let dragged = null;
    const position = (event) => [event.offsetX * devicePixelRatio, event.offsetY * devicePixelRatio];
    const drag = (event) => {
      if (dragged === "window") {
        const [low, high] = this.scene.window, part = (high - low) / 300;
        const width = Math.max(part, this.window[1] - this.window[0] + event.movementX * part);
        this.setWindow((this.window[0] + this.window[1]) / 2 - event.movementY * part, width);
      } else if (dragged === "pan") {
        this.centre[view.c] -= (event.movementX * devicePixelRatio) / canvas.place.scale;
        this.centre[view.r] -= (event.movementY * devicePixelRatio) / canvas.place.scale;
        this.draw();
      } else if (dragged === "split") {
        this.split = clamp(position(event)[0] / canvas.width, 0, 1);
        this.show();
      } else if (dragged) {
        const [x, y] = position(event), { grid } = this.scene, { left, top, scale } = canvas.place;
        const along = (pixel, first, axis) =>
          clamp(Math.floor((pixel - first) / scale / grid.spacing[axis]), 0, grid.shape[axis] - 1);
        this.at[view.c] = along(x, left, view.c);
        this.at[view.r] = along(y, top, view.r);
        this.draw();
      }
    };
    canvas.addEventListener("pointerdown", (event) => {
      const onSplit = this.mode === "swipe" && Math.abs(position(event)[0] - this.split * canvas.width) < 9 * devicePixelRatio;
      dragged = event.button === 2 || event.altKey ? "window" : event.button === 1 || event.shiftKey ? "pan" : onSplit ? "split" : "cross";
      canvas.setPointerCapture(event.pointerId);
      if (dragged === "cross") drag(event);
    });
    canvas.addEventListener("pointermove", (event) => { if (dragged) drag(event); });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { dragged = null; });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (event.ctrlKey) this.setZoom(this.zoom * (event.deltaY < 0 ? 1.15 : 1 / 1.15));
      else this.move(view.n, Math.sign(event.deltaY));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event, view));
  }

  key(event, view) {
    const [low, high] = this.window, level = (low + high) / 2, width = high - low, part = (this.scene.window[1] - this.scene.window[0]) / 25;
    const actions = {
      ArrowLeft: () => this.move(view.c, -1), ArrowRight: () => this.move(view.c, 1),
      ArrowUp: () => this.move(view.r, -1), ArrowDown: () => this.move(view.r, 1),
      PageUp: () => this.move(view.n, -1), PageDown: () => this.move(view.n, 1),
      "+": () => this.setZoom(this.zoom * 1.25), "=": () => this.setZoom(this.zoom * 1.25), "-": () => this.setZoom(this.zoom / 1.25),
      "[": () => this.setWindow(level, Math.max(part, width - part)), "]": () => this.setWindow(level, width + part),
      ";": () => this.setWindow(level - part, width), "'": () => this.setWindow(level + part, width),
      a: () => this.setMode("a"), b: () => this.setMode("b"), s: () => this.setMode("swipe"), f: () => this.setMode("flicker"),
      " ": () => this.setMode(this.single() === "a" && this.mode !== "swipe" ? "b" : "a"), r: () => this.reset(),
    };
    const digit = this.scene.layers[Number(event.key) - 1];
    const action = digit ? () => { this.layer.a = this.part("a").value = digit.id; this.draw(); } : actions[event.key];
    if (!action || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    action();
  }
}

const panel_share = 0.9; // of a panel that the longest side of the volume fills: the letters have the rest
const short = (value) => (value === 0 ? "0" : Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(3));
const root_busy = (root, busy) => root.setAttribute("aria-busy", String(busy));

document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
const element = document.getElementById("viewer");
if (element) {
  const viewer = (window.viewer = new Viewer(element)), scenes = JSON.parse(document.getElementById("scenes").textContent);
  const open = (number) => {
    const home = document.getElementById(`case-${number}`);
    if (home) home.querySelector("[data-home]").append(element);
    for (const button of document.querySelectorAll("[data-open]"))
      button.setAttribute("aria-pressed", String(button.dataset.open === String(number)));
    return viewer.open(scenes[number]);
  };
  for (const button of document.querySelectorAll("[data-open]"))
    button.addEventListener("click", () => open(Number(button.dataset.open)));
  open(0).then(() => (document.documentElement.dataset.ready = "true"));
}
