// A bar of time per video: chosen frames, damaged parts, parts left out, and the frames' pictures.

const TIMELINES_AT_ONCE = 20;
const TIMELINE_SORTS = {
  "most chosen first": (a, b) => b.chosen.length - a.chosen.length,
  "path": (a, b) => compareText(a.video, b.video),
  "most damaged first": (a, b) => covered(b.damaged) - covered(a.damaged),
};
const covered = (spans) => spans.reduce((sum, [start, end]) => sum + end - start, 0);

function timelinesSection() {
  const list = h("ul", { class: "timelines" });
  const { more, reset } = inParts(list, timeline, TIMELINES_AT_ONCE, "video");
  const sort = h("select", { id: "timeline-sort" }, Object.keys(TIMELINE_SORTS).map((name) => h("option", {}, name)));
  const box = h("input", { type: "search", id: "timeline-filter", placeholder: "part of its path", autocomplete: "off" });
  const said = h("span", { class: "count", role: "status" });
  const update = () => {
    const wanted = box.value.trim().toLowerCase();
    const shown = data.timelines.filter((t) => t.video.toLowerCase().includes(wanted));
    said.textContent = `${plural(shown.length, "video")} of ${count(data.timelines.length)}`;
    reset(shown.sort(TIMELINE_SORTS[sort.value]));
  };
  sort.addEventListener("change", update);
  box.addEventListener("input", update);
  onOrder(() => list.querySelectorAll("[data-rank]").forEach((mark) => {
    mark.classList.toggle("later", !isAmongFirst(byRank.get(Number(mark.dataset.rank))));
  }));
  whenNear(list, update);
  const lead = data.timelines.length
    ? "Where the chosen frames lie in each video, and which parts could not be chosen from."
    : "No video could be read.";
  const controls = h("div", { class: "controls" }, labelled("Video", box), labelled("Sort by", sort), said);
  const content = data.timelines.length ? [controls, h("div", { class: "controls" }, timelineLegend())] : [];
  return section("timelines", "Timelines", lead, ...content, list, more);
}

function timelineLegend() {
  const key = (kind, text, width) => h("li", {}, svg("svg", { viewBox: "0 0 22 12", "aria-hidden": "true" }, svg("rect", { class: kind, x: (22 - width) / 2, width, height: 12, style: legendFill(kind) })), text);
  return h("ul", { class: "legend" }, key("tick", "chosen", 3), key("spans-damaged", "damaged (lower half)", 22), key("spans-left-out", "left out: copies, thresholds, sampling", 22));
}

const legendFill = (kind) => `fill:var(--${{ tick: "choice", "spans-damaged": "damaged", "spans-left-out": "left-out" }[kind]})`;

function timeline(t) {
  const head = h(
    "div", { class: "line" }, h("h3", {}, named(t.video)), h("span", { class: "muted small" }, t.description),
  );
  return h("li", { class: "card timeline" }, head, timeBar(t), strip(t));
}

/** The bar is 1,000 units long; damaged parts take its lower half, so that shape tells them, too. */
function timeBar(t) {
  const spans = (kind, parts, y, height) => parts.map(([start, end]) =>
    svg("rect", { class: kind, x: 1000 * start, width: Math.max(1000 * (end - start), 1.5), y, height }));
  const ticks = t.chosen.map(([rank, at]) => {
    const tick = svg("line", { class: tickClass(rank), x1: tickPlace(at), x2: tickPlace(at), y1: 2, y2: 24, "data-rank": rank });
    tick.addEventListener("click", () => showFrame(byRank.get(rank)));
    return tick;
  });
  return svg(
    "svg", { viewBox: "0 0 1000 26", preserveAspectRatio: "none", role: "img", "aria-label": `${t.video}: ${t.description}` },
    spans("spans-left-out", t.left_out, 0, 26), spans("spans-damaged", t.damaged, 13, 13), ticks,
  );
}

const tickPlace = (at) => 2 + 996 * at;
const tickClass = (rank) => (isAmongFirst(byRank.get(rank)) ? "tick" : "tick later");

function strip(t) {
  if (!t.chosen.length) return null;
  const shots = t.chosen.map(([rank]) => {
    const frame = byRank.get(rank);
    const label = `Choice ${choiceName(rank)} at ${clock(frame.time)}`;
    return h("li", {}, h(
      "button", { type: "button", "data-rank": rank, "aria-label": label, class: isAmongFirst(frame) ? "" : "later", onclick: () => showFrame(frame) },
      picture(frame, ""), h("span", { class: "caption" }, clock(frame.time)),
    ));
  });
  return h("ul", { class: "strip" }, shots);
}
