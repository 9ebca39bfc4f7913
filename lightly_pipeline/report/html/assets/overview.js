// In one screen: what was read, what is broken, what was chosen, what the choice buys, what it took.

function overview() {
  const where = [`run ${data.run}`, data.created.replace("T", " ").replace(/\.\d+/, "")];
  const title = h("div", { class: "head title" }, h("h1", {}, named(data.dataset)), h("span", { class: "muted small" }, where.join(" · ")));
  const boxes = h("div", { class: "grid overview" }, ...curves(), h("div", { class: "card grid" }, says(), steps()));
  const heading = h("h2", { class: "unseen", id: "overview-title" }, "Overview");
  return h("section", { id: "overview", "aria-labelledby": "overview-title", class: "grid" }, h("div", {}, title, heading, tiles()), boxes);
}

function curves() {
  if (data.coverage.length) return data.coverage.map((chart) => lineCard(chart));
  const text = "Coverage cannot be shown: there are no embeddings of two frames or more to compare.";
  return [h("p", { class: "card muted" }, text)];
}

function tiles() {
  const s = data.sizes;
  const read = s.n_input_videos - s.n_corrupt_videos - s.n_failed_videos;
  const nProblems = data.problems.reduce((sum, group) => sum + group.count, 0);
  const left = [
    [s.n_duplicates, "exact copies"], [s.n_removed_by_threshold, "outside thresholds"], [s.n_damaged_frames, "damaged"],
  ].filter(([n]) => n).map(([n, word]) => `${count(n)} ${word}`);
  const chosen = [
    s.n_preselected ? `${count(s.n_preselected)} from before` : null,
    s.n_replaced ? `${count(s.n_replaced)} replaced` : null,
    s.n_missing ? `${count(s.n_missing)} not stored` : null,
  ].filter(Boolean);
  const broken = [
    s.n_corrupt_videos ? `${count(s.n_corrupt_videos)} broken` : null,
    s.n_failed_videos ? `${count(s.n_failed_videos)} left out` : null,
  ].filter(Boolean);
  const seconds = totalSeconds();
  return h(
    "dl", { class: "card tiles" },
    tile(data.of_images ? "Images read" : "Videos read", count(read), `of ${count(s.n_input_videos)}${broken.length ? `: ${broken.join(", ")}` : ""}`),
    tile(data.of_images ? "Images seen" : "Frames seen", count(s.n_input_frames), left.join(", ")),
    tile("Candidates", count(s.n_candidates), s.n_input_frames ? `${share(s.n_candidates / s.n_input_frames)} of the ${data.of_images ? "images" : "frames"}` : ""),
    tile("Chosen", count(s.n_selected), chosen.join(", ") || (s.n_candidates ? `${share(s.n_selected / s.n_candidates)} of the candidates` : ""), "strong"),
    tile("Problems", count(nProblems), nProblems ? h("a", { href: "#problems" }, "What and why") : "Nothing is broken", nProblems ? "bad" : null),
    tile("Time", seconds === null ? "–" : duration(seconds), topRate()),
  );
}

function tile(name, value, note, kind) {
  return h("div", { class: kind ?? "" }, h("dt", {}, name), h("dd", {}, value), h("dd", { class: "note" }, note ?? ""));
}

const share = (part) => (part > 0 && part < 0.0001 ? "under 0.01 %" : `${figure(Number((100 * part).toPrecision(2)))} %`);

function totalSeconds() {
  const total = data.steps.find((step) => step.name === "total");
  if (total) return total.seconds;
  return data.steps.length ? data.steps.reduce((sum, step) => sum + step.seconds, 0) : null;
}

function topRate() {
  const step = data.steps.find((candidate) => candidate.rate);
  return step ? `${figure(Math.round(step.rate))} ${step.unit}/s in ${stepName(step.name)}` : "";
}

const stepName = (name) => name.replaceAll("_", " ");

function says() {
  if (!data.takeaways.length) return h("p", { class: "muted" }, "No comparison with other choices.");
  const heading = h("h3", {}, "What the choice buys");
  return h("div", {}, heading, h("ul", { class: "takeaways" }, data.takeaways.map((text) => h("li", {}, text))));
}

function steps() {
  if (!data.steps.length) return null;
  const longest = Math.max(...data.steps.filter((s) => s.name !== "total").map((s) => s.seconds), 0.001);
  const rows = data.steps.map((step) => {
    const isTotal = step.name === "total";
    const bar = h("div", { class: "track", "aria-hidden": "true" }, h("i", { style: `width:${Math.min(100, 100 * step.seconds / longest)}%` }));
    const rate = step.rate ? `${figure(Math.round(step.rate))} ${step.unit}/s` : "";
    return h("tr", { class: isTotal ? "total" : null },
      h("td", {}, stepName(step.name), isTotal ? null : bar), h("td", {}, duration(step.seconds)), h("td", {}, rate));
  });
  const head = h("tr", { class: "unseen" }, ["step", "time", "rate"].map((name) => h("th", { scope: "col" }, name)));
  return h("div", {}, h("h3", {}, "Time by step"), h("table", { class: "steps" }, h("thead", {}, head), h("tbody", {}, rows)));
}
