// The embedding map: density, a sample of points, the first n choices; hover shows, lasso lists.

const LISTED = 500;
const REACH = 7; // pixels around the middle of a chosen frame's point

function mapSection() {
  if (!data.map) return section("map", "Embedding map", "There are too few embeddings for a map.");
  const map = decoded(data.map);
  const plot = h("div", { id: "map-plot", role: "img", "aria-label": data.map.description });
  const listing = h("div", { id: "map-list", "aria-live": "polite" });
  const list = (picked) => listing.replaceChildren(...mapListing(map, picked));
  list(null);
  whenNear(plot, () => {
    drawMap(plot, map);
    drawn.push(() => drawMap(plot, map));
    plot.on("plotly_hover", (event) => showTip(pointed(plot, map, event), event.event));
    plot.on("plotly_unhover", hideTip);
    plot.on("plotly_click", (event) => {
      const frame = pointed(plot, map, event);
      if (frame.rank !== undefined) showFrame(frame);
    });
    plot.on("plotly_selected", (event) => event && list(event.points.map((p) => [p.curveNumber, p.pointNumber])));
    plot.on("plotly_deselect", () => list(null));
    onOrder(() => Plotly.restyle(plot, chosenPoints(map), [1]));
  });
  const lead = `${data.map.description} Frames that look alike lie together. Draw around points to list their frames.`;
  return section("map", "Embedding map", lead, h("div", { class: "card mapbox" }, h("div", {}, mapControls(plot, map, list), plot), listing), tip);
}

function decoded(map) {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const floats = (text) => new Float32Array(bytes(text).buffer);
  const ints = (text) => new Int32Array(bytes(text).buffer);
  const points = floats(map.points);
  const chosen = floats(map.chosen);
  const [videos, times, numbers] = [ints(map.videos), floats(map.times), ints(map.frames)];
  // A chosen frame has a point of its own, which its place in the sample would lie upon.
  const isChosen = new Set(frames.map((frame) => JSON.stringify([frame.video, frame.frame])));
  const key = (i) => (map.names ? [map.names[i], 0] : [data.timelines[videos[i]]?.video, numbers[i]]);
  const sample = [...videos.keys()].filter((i) => !isChosen.has(JSON.stringify(key(i))));
  const ranks = [...Array(chosen.length / 2).keys()];
  return {
    ...map, shade: bytes(map.shade),
    names: map.names && sample.map((i) => map.names[i]),
    videos: sample.map((i) => videos[i]), times: sample.map((i) => times[i]), frames: sample.map((i) => numbers[i]),
    x: sample.map((i) => points[2 * i]), y: sample.map((i) => points[2 * i + 1]),
    chosenX: ranks.map((i) => chosen[2 * i]), chosenY: ranks.map((i) => chosen[2 * i + 1]),
  };
}

function drawMap(plot, map) {
  const [left, right, bottom, top] = map.extent;
  const chart = { x_label: map.labels[0], y_label: map.labels[1] };
  const spec = layout(chart, { dragmode: plot.dataset.mode ?? "lasso", hovermode: "closest", uirevision: "kept" });
  for (const axis of [spec.xaxis, spec.yaxis]) Object.assign(axis, { fixedrange: false, zeroline: false, rangemode: "normal" });
  if (map.method === "PCA") Object.assign(spec.yaxis, { scaleanchor: "x", scaleratio: 1 });
  spec.newselection = { line: { color: colour("text"), width: 1.5, dash: "dot" } };
  spec.images = [{
    source: densityImage(map), xref: "x", yref: "y", x: left, y: top, sizex: right - left, sizey: top - bottom,
    sizing: "stretch", layer: "below", opacity: 1,
  }];
  const faded = { marker: { opacity: 0.2 } };
  const traces = [
    { name: "sample of the candidates", x: map.x, y: map.y, marker: { color: colour("pool"), size: 4, opacity: 0.65 } },
    {
      name: "chosen", ...chosenPoints(map, false),
      marker: { color: colour("choice"), size: 10, line: { color: colour("surface"), width: 1.5 } },
    },
  ].map((trace) => ({ type: "scatter", mode: "markers", hoverinfo: "none", unselected: faded, ...trace }));
  Plotly.react(plot, traces, spec, { ...QUIET, scrollZoom: false });
}

/** The first n choices; Plotly's restyle wants each value in a list of traces. */
function chosenPoints(map, listed = true) {
  const x = map.chosenX.slice(0, order.n);
  const y = map.chosenY.slice(0, order.n);
  return listed ? { x: [x], y: [y], selectedpoints: [null] } : { x, y };
}

function densityImage(map) {
  const [height, width] = map.shape;
  const canvas = h("canvas", { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const rgb = colour("density").split(",").map(Number);
  map.shade.forEach((shade, i) => {
    const row = height - 1 - Math.floor(i / width);
    image.data.set([...rgb, shade * 0.7], 4 * (row * width + (i % width)));
  });
  context.putImageData(image, 0, 0);
  return canvas.toDataURL();
}

function mapControls(plot, map, list) {
  const modes = [["lasso", "Lasso"], ["select", "Rectangle"], ["pan", "Move"]].map(([mode, text]) => {
    const button = h("button", { type: "button", "aria-pressed": mode === "lasso" ? "true" : "false" }, text);
    button.addEventListener("click", () => {
      modes.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
      plot.dataset.mode = mode;
      Plotly.relayout(plot, { dragmode: mode });
    });
    return button;
  });
  const act = (text, label, run) => h("button", { type: "button", "aria-label": label, onclick: run }, text);
  return h(
    "div", { class: "controls", role: "group", "aria-label": "Map", style: "margin:0;gap:.5rem" }, modes,
    act("+", "Zoom in", () => zoom(plot, 0.6)), act("−", "Zoom out", () => zoom(plot, 1 / 0.6)),
    act("All", "Show the whole map", () => { Plotly.relayout(plot, { "xaxis.autorange": true, "yaxis.autorange": true }); }),
    act("List what is in view", "List what is in view", () => list(inView(plot, map))),
  );
}

function zoom(plot, by) {
  const ranges = {};
  for (const name of ["xaxis", "yaxis"]) {
    const [from, to] = plot._fullLayout[name].range;
    const [middle, half] = [(from + to) / 2, by * (to - from) / 2];
    ranges[`${name}.range`] = [middle - half, middle + half];
  }
  Plotly.relayout(plot, ranges);
}

function inView(plot, map) {
  const [[x0, x1], [y0, y1]] = ["xaxis", "yaxis"].map((name) => plot._fullLayout[name].range);
  const within = (xs, ys, curve, n) => Array.from({ length: n }, (_, i) => i)
    .filter((i) => xs[i] >= x0 && xs[i] <= x1 && ys[i] >= y0 && ys[i] <= y1).map((i) => [curve, i]);
  return [...within(map.chosenX, map.chosenY, 1, order.n), ...within(map.x, map.y, 0, map.x.length)];
}

/** A point as a frame: chosen ones are known in full, others by video, frame and time. */
function pointFrame(map, curve, i) {
  if (curve === 1) return frames[i];
  if (map.names) return { video: map.names[i], frame: 0, time: null };
  const video = data.timelines[map.videos[i]]?.video ?? "unknown video";
  return { video, frame: map.frames[i], time: Number.isNaN(map.times[i]) ? null : map.times[i] };
}

function mapListing(map, picked) {
  if (!picked) return [h("p", { class: "muted" }, "Frames that are picked on the map are listed here. Each chosen one opens.")];
  const found = picked.map(([curve, i]) => pointFrame(map, curve, i)).filter(Boolean)
    .sort((a, b) => (a.rank ?? Infinity) - (b.rank ?? Infinity) || compareText(a.video, b.video) || a.frame - b.frame);
  const [columns, facts, written] = data.of_images
    ? [["image"], (f) => [named(f.video)], (f) => [f.video]]
    : [["video", "frame", "time"], (f) => [named(f.video), count(f.frame), clock(f.time)], (f) => [f.video, String(f.frame), f.time === null ? "" : String(f.time)]];
  const row = (f) => [f.rank === undefined ? "" : choiceName(f.rank), ...written(f)];
  const text = [["choice", ...columns.map((name) => (name === "time" ? "time_s" : name))], ...found.map(row)].map((r) => r.join("\t")).join("\n");
  const button = h("button", { type: "button" }, "Copy as table");
  button.addEventListener("click", () => copy(text, button));
  const nChosen = found.filter((f) => f.rank !== undefined).length;
  const shown = found.slice(0, LISTED).map((f) => [
    f.rank === undefined ? "" : h("button", { type: "button", onclick: () => showFrame(f) }, choiceName(f.rank)),
    ...facts(f),
  ]);
  const cut = found.length > LISTED ? ` The table shows the first ${count(LISTED)}, a copy has all.` : "";
  const said = `${plural(found.length, "point")}, ${count(nChosen)} of them chosen.${cut}`;
  return [
    h("div", { class: "controls", style: "margin:0" }, h("span", {}, said), button),
    table("Frames of the points", ["choice", ...columns], shown, data.of_images ? [] : [2, 3]),
  ];
}

const tip = h("div", { class: "tip", hidden: true, "aria-hidden": "true" });

/** The frame under the pointer: a chosen one before the smaller points that it may lie among. */
function pointed(plot, map, { points: [point], event }) {
  const { xaxis, yaxis } = plot._fullLayout;
  const box = plot.getBoundingClientRect();
  const away = (i) => Math.hypot(
    event.clientX - box.x - xaxis._offset - xaxis.d2p(map.chosenX[i]),
    event.clientY - box.y - yaxis._offset - yaxis.d2p(map.chosenY[i]),
  );
  let [nearest, distance] = [-1, REACH];
  for (let i = 0; i < order.n; i += 1) {
    if (away(i) < distance) [nearest, distance] = [i, away(i)];
  }
  return nearest < 0 ? pointFrame(map, point.curveNumber, point.pointNumber) : frames[nearest];
}

function showTip(frame, event) {
  const image = frame.src ? h("img", { src: frame.src, alt: "" }) : null;
  const name = frame.rank === undefined ? "not chosen" : `choice ${choiceName(frame.rank)}`;
  tip.replaceChildren(...[image, h("b", {}, name), named(frame.video), data.of_images ? null : h("span", {}, `frame ${count(frame.frame)}, ${clock(frame.time)}`)].filter(Boolean));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.min(event.clientX + 14, innerWidth - width - 8)}px`;
  tip.style.top = `${Math.max(Math.min(event.clientY + 14, innerHeight - height - 8), 8)}px`;
}

function hideTip() {
  tip.hidden = true;
}
