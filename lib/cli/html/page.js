// The script of the page that `goheap replay --html` writes. It runs in a browser; page_data.ts says what the data is.

const data = JSON.parse(document.getElementById("data").textContent);
const { summary, samples, frames } = data;
const darkness = matchMedia("(prefers-color-scheme: dark)");

/** The parts of a span's bytes, as they follow each other in a bar. */
const PARTS = [
  ["live", "liveBytes", "live"],
  ["slot waste", "slotWasteBytes", "slot"],
  ["garbage", "garbageBytes", "garbage"],
  ["free", "freeBytes", "free"],
  ["tail", "tailWasteBytes", "tail"],
];
const STATE_TEXTS = {
  none: "not taken",
  fresh: "free, never used",
  free: "free, used before",
  swept: "in use",
  unswept: "in use, not swept since the last collection",
  cached: "in use, in the thread's cache",
};

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** The frame that is shown, and the cells of its map. */
let frame = frames[frames.length - 1];
let cells = [];

function byId(id) {
  return document.getElementById(id);
}

/** An element with properties and children, which are elements or text: nothing is ever read as HTML. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** A whole number with commas between thousands. */
function grouped(value) {
  return value.toLocaleString("en-US");
}

/** Bytes in the largest unit of which there is one, with three digits. */
function sized(bytes) {
  const unit = Math.max(0, UNITS.findLastIndex((_, i) => bytes >= 1024 ** i));
  const value = bytes / 1024 ** unit;
  const decimals = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(decimals)} ${UNITS[unit]}`;
}

function objectsText({ objects }) {
  return objects === 1 ? "1 object" : `${grouped(objects)} objects`;
}

function sum(items, of) {
  return items.reduce((total, item) => total + of(item), 0);
}

// ---- in sum

function showSum() {
  const { memStats, live, peak, allocated } = summary;
  const gogc = summary.gcPercent < 0 ? "off" : summary.gcPercent;
  byId("trace").textContent = summary.trace;
  byId("setting").textContent = `${summary.format} of ${
    grouped(summary.lines)
  } lines, replayed on ${summary.platform} with GOGC=${gogc}`;
  const bytes = (value) => [sized(value), `${grouped(value)} bytes`];
  const tiles = [
    ["HeapAlloc", ...bytes(memStats.HeapAlloc)],
    ["HeapInuse", ...bytes(memStats.HeapInuse)],
    ["HeapIdle", ...bytes(memStats.HeapIdle)],
    ["HeapSys", ...bytes(memStats.HeapSys)],
    ["Live in the trace", sized(live.bytes), objectsText(live)],
    ["Most live at once", sized(peak.bytes), objectsText(peak)],
    ["Allocated", sized(allocated.bytes), objectsText(allocated)],
    [
      "Collections",
      grouped(memStats.NumGC),
      `${(memStats.PauseTotalNs / 1e6).toFixed(1)} ms paused`,
    ],
  ];
  byId("sum").append(
    ...tiles.map(([name, value, note]) =>
      make("div", {}, make("dt", {}, name), make("dd", {}, value, make("small", {}, note)))
    ),
  );
}

// ---- the chart

let chart = null;

/** Steps between ticks: there is no half event, and 10, 100 and 1000 are no round numbers of bytes. */
const EVENT_STEPS = Array.from({ length: 15 }, (_, i) => [1, 2, 5].map((n) => n * 10 ** i)).flat();
const BYTE_STEPS = Array.from({ length: 48 }, (_, i) => 2 ** i);

const CURVES = [
  ["HeapSys", "HeapSys", "sys", {}],
  ["HeapInuse", "HeapInuse", "inuse", {}],
  ["HeapAlloc", "HeapAlloc", "alloc", { width: 2 }],
  ["live in the trace", "liveBytes", "trace", {}],
  // It may be far above the heap, which must not become flat for it.
  ["NextGC", "NextGC", "next", { dash: [6, 4], auto: false }],
].filter(([name]) => name !== "NextGC" || summary.gcPercent >= 0);

function showChartNote() {
  const marks = data.marks.length;
  const every = data.collectionsPerMark;
  const marked = marks === 0
    ? "There was no collection."
    : every === 1
    ? `The ${grouped(marks)} collections are marked.`
    : `One in ${every} of the ${grouped(summary.memStats.NumGC)} collections is marked.`;
  byId("chart-note").textContent =
    `Bytes by event: each allocation and each free is one. ${marked} Drag to zoom in, double-click to zoom ` +
    "out, click to choose a moment.";
}

function verticalLine(u, event, stroke, width) {
  const x = u.valToPos(event, "x", true);
  if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) return;
  u.ctx.strokeStyle = stroke;
  u.ctx.lineWidth = width * devicePixelRatio;
  u.ctx.setLineDash([]);
  u.ctx.beginPath();
  u.ctx.moveTo(x, u.bbox.top);
  u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
  u.ctx.stroke();
}

function drawMarks(u) {
  u.ctx.save();
  u.ctx.globalAlpha = Math.min(0.5, 40 / data.marks.length);
  for (const event of data.marks) verticalLine(u, event, colour("mark"), 1);
  u.ctx.restore();
}

function drawMoment(u) {
  u.ctx.save();
  verticalLine(u, frame.event, colour("accent"), 2);
  u.ctx.restore();
}

/** Draws the chart, anew if there is one: its colours are not of the style sheet. */
function showChart() {
  chart?.destroy();
  const axis = {
    stroke: colour("faint"),
    grid: { stroke: colour("line"), width: 1 },
    ticks: { stroke: colour("line") },
  };
  const columns = [samples.event, ...CURVES.map(([, column]) => samples[column])];
  const most = Math.max(1, ...samples.HeapSys);
  chart = new globalThis.uPlot(
    {
      width: byId("chart").clientWidth,
      height: 340,
      scales: { x: { time: false }, y: { range: (_, _least, top) => [0, 1.05 * (top ?? most)] } },
      axes: [
        { ...axis, incrs: EVENT_STEPS, values: (_, ticks) => ticks.map(grouped) },
        { ...axis, size: 76, incrs: BYTE_STEPS, values: (_, ticks) => ticks.map(sized) },
      ],
      series: [
        { label: "event", value: (_, event) => event === null ? "-" : grouped(event) },
        ...CURVES.map(([label, , name, more]) => ({
          label,
          stroke: colour(name),
          points: { show: false },
          value: (_, bytes) => bytes === null ? "-" : sized(bytes),
          ...more,
        })),
      ],
      hooks: { drawAxes: [drawMarks], draw: [drawMoment] },
    },
    columns,
    byId("chart"),
  );
  chart.over.addEventListener("click", () => {
    if (chart.cursor.left >= 0) showFrame(nearestFrame(chart.posToVal(chart.cursor.left, "x")));
  });
}

function nearestFrame(event) {
  const distances = frames.map((each) => Math.abs(each.event - event));
  return distances.indexOf(Math.min(...distances));
}

// ---- a moment

function showFrame(index) {
  frame = frames[index];
  byId("frame").value = index;
  const last = frames[frames.length - 1].event;
  byId("event").textContent = `${grouped(frame.event)} of ${grouped(last)}`;
  byId("frame").setAttribute("aria-valuetext", `event ${grouped(frame.event)} of ${grouped(last)}`);
  byId("figures").replaceChildren(
    ...["HeapAlloc", "HeapInuse", "HeapIdle", "HeapSys"].map((name) =>
      make("div", {}, make("dt", {}, name), make("dd", {}, sized(frame[name])))
    ),
  );
  cells = cellsOf(frame.map);
  showMap();
  showClasses();
  chart?.redraw(false);
}

// ---- the page map

/** The longest side of a cell. */
const MAX_CELL_PIXELS = 18;
let layout = { columns: 1, size: 1 };
let chosen = -1;
let colours = null;

function cellsOf(map) {
  const codes = [];
  for (let i = 0; i < map.length; i += 2) {
    for (let n = 0; n < map[i + 1]; n++) codes.push(map[i]);
  }
  return codes.map((code) => {
    const kind = Math.floor(code / data.fillSteps);
    return {
      class: Math.floor(kind / data.pageStates.length),
      state: data.pageStates[kind % data.pageStates.length],
      fill: code % data.fillSteps / (data.fillSteps - 1),
    };
  });
}

function classColour(cls) {
  if (cls === 0) return `oklch(${colour("lightness")} 0.19 350)`;
  // From blue for the smallest class to red for the largest; small ones, of which there are most, lie farther apart.
  const hue = 265 - 240 * ((cls - 1) / (data.classSizes.length - 2)) ** 0.6;
  return `oklch(${colour("lightness")} 0.14 ${hue})`;
}

/** Draws a cell: free pages are grey; those in use have their class's colour, as high as they are full. */
function drawCell(context, cell, x, y, size) {
  const inner = size > 4 ? size - 1 : size;
  if (cell.state === "none") return;
  if (cell.state === "free" || cell.state === "fresh") {
    context.fillStyle = colours.state[cell.state];
    context.fillRect(x, y, inner, inner);
    return;
  }
  const height = Math.round(inner * cell.fill);
  context.fillStyle = colours.class[cell.class];
  context.globalAlpha = 0.3;
  context.fillRect(x, y, inner, inner - height);
  context.globalAlpha = 1;
  context.fillRect(x, y + inner - height, inner, height);
  if (cell.state === "swept") return;
  context.fillStyle = colours.ink;
  const mark = Math.max(1, Math.round(inner / 4));
  if (cell.state === "unswept") context.fillRect(x, y, mark, mark);
  else context.fillRect(x, y + inner - Math.ceil(mark / 2), inner, Math.ceil(mark / 2));
}

function mapColours() {
  return {
    class: data.classSizes.map((_, cls) => classColour(cls)),
    state: { free: colour("page-free"), fresh: colour("page-fresh") },
    ink: colour("ink"),
    accent: colour("accent"),
  };
}

function showMap() {
  const canvas = byId("map");
  const width = canvas.parentElement.clientWidth -
    2 * parseFloat(getComputedStyle(canvas.parentElement).paddingLeft);
  // The arena never becomes smaller: all frames have room in the picture of the last.
  const total = Math.ceil(frames[frames.length - 1].pages / data.pagesPerCell);
  const columns = total <= 1024 ? 64 : 128;
  const size = Math.max(2, Math.floor(width * devicePixelRatio / columns));
  layout = { columns, size: Math.min(size, Math.round(MAX_CELL_PIXELS * devicePixelRatio)) };
  canvas.width = columns * layout.size;
  canvas.height = Math.max(1, Math.ceil(total / columns)) * layout.size;
  canvas.style.width = `${canvas.width / devicePixelRatio}px`;
  const context = canvas.getContext("2d");
  cells.forEach((cell, i) => {
    const [x, y] = [i % columns * layout.size, Math.floor(i / columns) * layout.size];
    drawCell(context, cell, x, y, layout.size);
  });
  if (chosen >= 0) {
    context.strokeStyle = colours.accent;
    context.lineWidth = 2;
    context.strokeRect(
      chosen % columns * layout.size,
      Math.floor(chosen / columns) * layout.size,
      layout.size,
      layout.size,
    );
  }
  canvas.setAttribute("aria-label", mapText());
  showCell();
}

function mapText() {
  const pages = (bytes) => grouped(bytes / data.pageBytes);
  return `Page map: ${pages(frame.HeapInuse)} pages in use, ${pages(frame.HeapIdle)} free, of ${
    grouped(frame.pages)
  }`;
}

function showMapNote() {
  const each = data.pagesPerCell === 1
    ? `a page of ${sized(data.pageBytes)}`
    : `${data.pagesPerCell} pages of ${sized(data.pageBytes)}, coloured as most of them are`;
  byId("map-note").textContent =
    `The arena by address, row by row. A square is ${each}; it is coloured as high as its ` +
    "blocks are in use. Point at one, or choose one with the arrow keys.";
}

function classText(cls) {
  return cls === 0
    ? "a large object"
    : `class ${cls}, blocks of ${grouped(data.classSizes[cls])} bytes`;
}

function showCell() {
  const cell = cells[chosen];
  if (cell === undefined) {
    byId("cell").textContent = mapText();
    return;
  }
  const first = chosen * data.pagesPerCell;
  const address = `0x${(data.arenaStart + first * data.pageBytes).toString(16)}`;
  const isInUse = !["none", "fresh", "free"].includes(cell.state);
  const use = isInUse
    ? `, ${classText(cell.class)}, ${Math.round(100 * cell.fill)} % of them in use`
    : "";
  byId("cell").textContent = `Page ${grouped(first)} at ${address}: ${
    STATE_TEXTS[cell.state]
  }${use}`;
}

function choose(cell) {
  const next = Math.max(0, Math.min(cell, cells.length - 1));
  if (next === chosen) return;
  chosen = next;
  showMap();
}

function legendCanvas(draw, isWide) {
  const canvas = make("canvas", {
    width: isWide ? 288 : 28,
    height: 28,
    className: isWide ? "wide" : "",
  });
  canvas.setAttribute("aria-hidden", "true");
  draw(canvas.getContext("2d"));
  return canvas;
}

function showLegend() {
  const classes = data.classSizes.length - 1;
  const sample = (cell) => legendCanvas((context) => drawCell(context, cell, 0, 0, 28), false);
  const items = [
    [
      legendCanvas((context) => {
        for (let cls = 1; cls <= classes; cls++) {
          context.fillStyle = colours.class[cls];
          context.fillRect((cls - 1) * 288 / classes, 0, 288 / classes + 1, 28);
        }
      }, true),
      `blocks of ${sized(data.classSizes[1])} to ${sized(data.classSizes[classes])}`,
    ],
    [sample({ state: "swept", class: 0, fill: 1 }), "large object"],
    [sample({ state: "unswept", class: 20, fill: 0.6 }), "not swept yet"],
    [sample({ state: "cached", class: 20, fill: 0.6 }), "in the thread's cache"],
    [sample({ state: "free" }), STATE_TEXTS.free],
    [sample({ state: "fresh" }), STATE_TEXTS.fresh],
  ];
  byId("legend").replaceChildren(...items.map(([canvas, text]) => make("li", {}, canvas, text)));
}

// ---- size classes

function spanBytes(use) {
  return sum(PARTS, ([, field]) => use[field]);
}

function bar(use, most) {
  const parts = PARTS.map(([name, field, colourName]) => {
    const part = make("span", { title: `${name}: ${grouped(use[field])} bytes` });
    part.style.width = `${100 * use[field] / most}%`;
    part.style.background = `var(--${colourName})`;
    return part;
  });
  const cell = make("td", { className: "bar" }, make("div", {}, ...parts));
  cell.setAttribute("aria-hidden", "true");
  return cell;
}

function headRow(texts) {
  return make(
    "thead",
    {},
    make("tr", {}, ...texts.map((text) => make("th", { scope: "col" }, text))),
  );
}

function swatch(name, text) {
  const square = make("span", { className: "swatch" });
  square.style.background = `var(--${name})`;
  return make("span", {}, square, text);
}

function showClasses() {
  const uses = frame.classes;
  const most = Math.max(1, ...uses.map(spanBytes));
  const figures = (use) =>
    [
      use.spans,
      use.objects,
      use.liveObjects,
      spanBytes(use),
      ...PARTS.map(([, field]) => use[field]),
    ].map((value) => make("td", {}, grouped(value)));
  const rows = uses.map((use) => {
    const name = use.class === 0 ? "large" : `${grouped(data.classSizes[use.class])} B`;
    return make("tr", {}, make("td", {}, name), bar(use, most), ...figures(use));
  });
  const fields = ["spans", "objects", "liveObjects", ...PARTS.map(([, field]) => field)];
  const all = Object.fromEntries(fields.map((field) => [field, sum(uses, (use) => use[field])]));
  byId("classes").replaceChildren(
    headRow([
      "blocks of",
      "",
      "spans",
      "objects",
      "live objects",
      "span bytes",
      ...PARTS.map(([text, , name]) => swatch(name, text)),
    ]),
    make("tbody", {}, ...rows),
    make(
      "tfoot",
      {},
      make("tr", {}, make("td", {}, "all"), bar(all, Math.max(1, spanBytes(all))), ...figures(all)),
    ),
  );
}

// ---- types and stacks

/** Shows groups in a table that can be sorted by any of its figures; the rest of them stays last. */
function showGroups(id, heading, groups, name) {
  const figures = [
    ["bytes", ({ allocated }) => allocated.bytes],
    ["objects", ({ allocated }) => allocated.objects],
    ["live bytes", ({ live }) => live.bytes],
    ["live objects", ({ live }) => live.objects],
  ];
  const cellsOf = (group) => figures.map(([, of]) => make("td", {}, grouped(of(group))));
  const show = (sorted) => {
    const [, by] = figures[sorted];
    const rows = groups
      .toSorted((a, b) => (a.rest ? 1 : 0) - (b.rest ? 1 : 0) || by(b) - by(a))
      .map((group) =>
        make("tr", {}, ...cellsOf(group), make("td", { className: "name" }, name(group)))
      );
    const heads = figures.map(([text], i) => {
      const button = make("button", { type: "button", onclick: () => show(i) }, text);
      const head = make("th", { scope: "col" }, button);
      if (i === sorted) head.setAttribute("aria-sort", "descending");
      return head;
    });
    const total = figures.map(([, of]) => make("td", {}, grouped(sum(groups, of))));
    byId(id).replaceChildren(
      make(
        "thead",
        {},
        make("tr", {}, ...heads, make("th", { scope: "col", className: "name" }, heading)),
      ),
      make("tbody", {}, ...rows),
      make("tfoot", {}, make("tr", {}, ...total, make("td", { className: "name" }, "all"))),
    );
  };
  show(0);
}

function typeName({ name, rest }) {
  if (rest) return `(${grouped(rest)} other types)`;
  return name === null ? "(no type: raw memory)" : make("bdi", {}, name);
}

/** A stack under the name of the function in it that is the program's own: Go's runtime allocates for all. */
function stackName({ frames: stack, rest }) {
  if (rest) return `(${grouped(rest)} other stacks)`;
  if (stack.length === 0) return "(no stack in the trace)";
  const [title] = stack.find(([name]) => !name.startsWith("runtime.")) ?? stack[0];
  const lines = stack.map(([name, place]) =>
    make("li", {}, make("bdi", {}, name), " ", make("small", {}, make("bdi", {}, place)))
  );
  return make("details", {}, make("summary", {}, make("bdi", {}, title)), make("ol", {}, ...lines));
}

// ---- all together

function showInColours() {
  colours = mapColours();
  showChart();
  showLegend();
  showMap();
}

const slider = byId("frame");
slider.max = frames.length - 1;
slider.addEventListener("input", () => showFrame(Number(slider.value)));

const map = byId("map");
map.addEventListener("pointermove", ({ offsetX, offsetY }) => {
  const size = layout.size / devicePixelRatio;
  const column = Math.min(Math.floor(offsetX / size), layout.columns - 1);
  choose(Math.floor(offsetY / size) * layout.columns + column);
});
map.addEventListener("pointerleave", () => {
  chosen = -1;
  showMap();
});
map.addEventListener("keydown", (event) => {
  const steps = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -layout.columns,
    ArrowDown: layout.columns,
  };
  if (!Object.hasOwn(steps, event.key)) return;
  event.preventDefault();
  choose(chosen + steps[event.key]);
});

showSum();
showChartNote();
showMapNote();
colours = mapColours();
showFrame(frames.length - 1);
showGroups("types", "type", data.types, typeName);
showGroups("stacks", "stack", data.stacks, stackName);
showInColours();
darkness.addEventListener("change", showInColours);
new ResizeObserver(() => {
  chart.setSize({ width: byId("chart").clientWidth, height: 340 });
  showMap();
}).observe(document.body);
