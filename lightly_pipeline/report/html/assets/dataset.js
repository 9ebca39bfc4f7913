// The runs of a dataset: key figures, and two of them compared.

const runs = data.runs;
const comparable = runs.filter((run) => run.frames);
const picked = { a: comparable[1] ?? null, b: comparable[0] ?? null };
const compared = h("div", { id: "compared", class: "grid", "aria-live": "polite" });

const when = (run) => run.created.replace("T", " ").replace(/(:\d\d)(\.\d+)?(\+00:00|Z)$/, "$1");
const short = (run) => run.run.slice(0, 8);
const runName = (run) => `${short(run)} of ${when(run)}`;

function runsSection() {
  if (!runs.length) return section("runs", "Runs", "No run has completed yet.");
  const severalDatasets = new Set(runs.map((run) => run.dataset)).size > 1;
  const columns = ["A", "B", "time (UTC)", "run", ...(severalDatasets ? ["dataset"] : []),
    "chosen", "candidates", "videos", "broken", "largest distance left"];
  const rows = runs.map((run) => [
    choice("a", run), choice("b", run), when(run),
    run.report ? h("a", { href: run.report }, short(run)) : short(run), ...(severalDatasets ? [named(run.dataset)] : []),
    run.problem ?? count(run.n_selected), count(run.n_candidates), count(run.n_videos),
    count(run.n_corrupt + run.n_failed), figure(run.figures.coverage_radius),
  ]);
  const lead = "The newest first; a run's name opens its report. Mark two, A and B, to compare what they chose.";
  const list = table("List of runs", columns, rows, columns.map((_, i) => i).slice(-5));
  list.classList.add("tall");
  return section("runs", "Runs", lead, h("div", { class: "card" }, list));
}

function choice(side, run) {
  const box = h("input", {
    type: "radio", name: side, "aria-label": `Compare ${runName(run)} as ${side.toUpperCase()}`,
    disabled: !run.frames, title: run.frames ? null : "too old to be compared on this page",
  });
  box.checked = picked[side] === run;
  box.addEventListener("change", () => {
    picked[side] = run;
    compare();
  });
  return box;
}

/** The frames of each video, told apart by which of the two runs chose them. */
function differences(a, b) {
  const videos = [...new Set([...Object.keys(a.frames), ...Object.keys(b.frames)])].sort();
  return videos.map((video) => {
    const [inA, inB] = [a, b].map((run) => new Set(run.frames[video] ?? []));
    const sorted = (frames) => frames.sort((x, y) => x - y);
    return {
      video,
      both: sorted([...inA].filter((frame) => inB.has(frame))),
      onlyA: sorted([...inA].filter((frame) => !inB.has(frame))),
      onlyB: sorted([...inB].filter((frame) => !inA.has(frame))),
    };
  });
}

function compare() {
  const { a, b } = picked;
  if (!a || !b) return compared.replaceChildren(h("p", { class: "muted" }, "Two runs are needed."));
  const found = differences(a, b);
  const total = (part) => found.reduce((sum, row) => sum + row[part].length, 0);
  const parts = [["onlyA", "only in A", "random"], ["both", "in both", "choice"], ["onlyB", "only in B", "even"]];
  const bar = h("div", { class: "parts", "aria-hidden": "true" }, parts.map(([part, , colour]) =>
    h("i", { style: `flex:${total(part)} 0 0;background:var(--${colour})` })));
  const key = h("dl", { class: "three-figures" }, parts.map(([part, text, colour]) =>
    h("div", { "data-part": part, style: `border-color:var(--${colour})` }, h("dt", {}, text), h("dd", {}, count(total(part))))));
  const head = h("p", { class: "muted" }, `A is ${runName(a)}, B is ${runName(b)}.`);
  const rows = found.map((row) => [named(row.video), ...parts.map(([part]) => frameNumbers(row[part]))]);
  return compared.replaceChildren(
    h("div", { class: "card grid" }, head, key, bar),
    h("div", { class: "card grid" }, h("div", { class: "controls", style: "margin:0" }, h("h3", {}, "Frames by video"), copyButton(found, parts)),
      table("Frames by video", ["video", ...parts.map(([, text]) => text)], rows)),
    h("div", { class: "card grid" }, h("h3", {}, "Differences of the configuration"), configDifferences(a, b)),
  );
}

function frameNumbers(numbers) {
  if (!numbers.length) return "–";
  const text = numbers.map(String).join(", ");
  return numbers.length <= 12 ? text : h("details", {}, h("summary", {}, plural(numbers.length, "frame")), text);
}

function copyButton(found, parts) {
  const lines = found.flatMap((row) => parts.flatMap(([part, text]) => row[part].map((frame) => [text, row.video, frame].join("\t"))));
  const button = h("button", { type: "button" }, "Copy as table");
  button.addEventListener("click", () => copy([["where", "video", "frame"].join("\t"), ...lines].join("\n"), button));
  return button;
}

function configDifferences(a, b) {
  const [left, right] = [a, b].map((run) => new Map(flattened(run.config)));
  const keys = [...new Set([...left.keys(), ...right.keys()])].filter((key) => left.get(key) !== right.get(key));
  if (!keys.length) return h("p", { class: "muted" }, "None: both runs were asked for the same.");
  const rows = keys.map((key) => [h("span", { class: "mono" }, key), left.get(key) ?? "–", right.get(key) ?? "–"]);
  return table("Differences of the configuration", ["key", "A", "B"], rows);
}

function flattened(value, path = "") {
  if (value === null || typeof value !== "object") return [[path, JSON.stringify(value)]];
  const entries = Object.entries(value);
  return entries.length ? entries.flatMap(([key, item]) => flattened(item, path ? `${path}.${key}` : key)) : [[path, "empty"]];
}

const names = [...new Set(runs.map((run) => run.dataset))].filter(Boolean).join(", ");
document.body.append(h(
  "main", {},
  h("h1", {}, named(names || "No dataset")),
  runsSection(),
  comparable.length > 1 ? section("compare", "Two runs compared", null, compared) : "",
  h("footer", {}, "Made by lightly_pipeline. This page asks nothing of any network."),
));
if (comparable.length > 1) compare();
