// The chosen frames in the order of choice: filter, sort, the first n.

const FRAMES_AT_ONCE = 48;
const SORTS = {
  "order of choice": (a, b) => a.rank - b.rank,
  "last chosen first": (a, b) => b.rank - a.rank,
  "distance, farthest first": (a, b) => (b.distance ?? Infinity) - (a.distance ?? Infinity) || a.rank - b.rank,
  "video and time": (a, b) => compareText(a.video, b.video) || a.frame - b.frame,
};
const compareText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const strategies = [...new Set(frames.map((frame) => frame.by).filter(Boolean))];
const filter = { video: "", by: "" };

function framesSection() {
  const list = h("ul", { class: "frames", id: "frames-list" });
  const said = h("span", { class: "count", role: "status" });
  const { more, reset } = inParts(list, (frame) => h("li", {}, frameCard(frame)), FRAMES_AT_ONCE, "frame");
  const sort = h("select", { id: "sort" }, Object.keys(SORTS).map((name) => h("option", {}, name)));
  const update = () => {
    const shown = frames.filter((frame) => isAmongFirst(frame) && passes(frame)).sort(SORTS[sort.value]);
    said.textContent = `${plural(shown.length, "frame")} of ${count(frames.length)}`;
    list.dataset.frames = shown.map((frame) => frame.rank).join(" ");
    reset(shown);
  };
  sort.addEventListener("change", update);
  onOrder(update);
  const lead = frames.length
    ? `In the order in which they were taken, each with its distance to the nearest frame taken before. ${decidedText()}`
    : "No frame was chosen.";
  const controls = frames.length && h(
    "div", { class: "controls" },
    labelled("Video", videoFilter(update)), byFilter(update), labelled("Sort by", sort), said,
  );
  return section("frames", "Chosen frames", lead, controls || null, list, more);
}

const decidedText = () => (strategies.length === 1 ? `All were decided by ${strategies[0]}.` : "Each says what decided it.");
const labelled = (text, control) => h("label", {}, text, control);
const passes = (frame) => frame.video.toLowerCase().includes(filter.video) && (!filter.by || frame.by === filter.by);

function videoFilter(update) {
  const videos = [...new Set(frames.map((frame) => frame.video))].sort(compareText);
  const box = h("input", { type: "search", id: "video-filter", list: "videos", placeholder: "part of its path", autocomplete: "off" });
  box.addEventListener("input", () => {
    filter.video = box.value.trim().toLowerCase();
    update();
  });
  return [box, h("datalist", { id: "videos" }, videos.map((video) => h("option", { value: video })))];
}

function byFilter(update) {
  if (strategies.length < 2) return null;
  const box = h("select", { id: "by-filter" }, h("option", { value: "" }, "any"), strategies.map((by) => h("option", { value: by }, by)));
  box.addEventListener("change", () => {
    filter.by = box.value;
    update();
  });
  return labelled("Decided by", box);
}

/** A picture with words for who cannot see it; a card without picture says so. */
function picture(item, alt) {
  const content = item.src
    ? h("img", { src: item.src, alt, width: item.width, height: item.height, loading: "lazy", decoding: "async" })
    : h("span", {}, "no preview");
  return h("span", { class: "picture" }, content);
}

const place = (item) => (data.of_images ? item.video : `${item.video}, frame ${count(item.frame)}, ${clock(item.time)}`);
const choiceName = (rank) => `#${count(rank + 1)}`;

function frameCard(frame) {
  const newest = order.n < frames.length && frame === frames[order.n - 1];
  const facts = h(
    "span", { class: "facts" },
    h("b", {}, choiceName(frame.rank), data.of_images ? null : h("span", {}, clock(frame.time))),
    h("bdi", { class: "muted", title: frame.video }, frame.video),
    data.of_images ? null : h("span", {}, `frame ${count(frame.frame)}`),
    strategies.length > 1 && frame.by ? h("span", { class: "muted by", title: frame.by }, frame.by) : null,
    h("span", {}, nearestText(frame)),
  );
  const card = h("button", { type: "button", class: newest ? "frame newest" : "frame", "data-rank": frame.rank }, picture(frame, ""), facts);
  card.addEventListener("click", () => showFrame(frame));
  return card;
}

function nearestText(frame) {
  if (frame.distance === null) return frame.rank === 0 ? "first choice" : "no distance";
  const to = frame.nearest === null ? "an earlier choice" : choiceName(frame.nearest);
  return `${figure(frame.distance)} from ${to}`;
}
