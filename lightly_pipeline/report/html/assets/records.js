// What is broken and why; what is needed to repeat the run.

const PROBLEM_TITLES = {
  video: "Videos that cannot be read",
  frame: "Damaged frames",
  "left out": "Videos that a store would not give",
  warning: "Warnings",
  "not stored": "Chosen frames that are not stored",
  replaced: "Chosen frames that were replaced",
};

function problemsSection() {
  if (!data.problems.length) return section("problems", "Problems", "Nothing is broken, nothing was left out.");
  return section("problems", "Problems", null, h("div", { class: "card" }, data.problems.map(problemGroup)));
}

function problemGroup({ kind, count: n, rows }) {
  const title = PROBLEM_TITLES[kind] ?? kind;
  const cut = n > rows.length ? h("p", { class: "muted small" }, `The first ${count(rows.length)} are listed.`) : null;
  const lines = rows.map(([place, reason]) => [named(place), named(reason)]);
  return h("div", { class: "problem" }, h("h3", {}, `${title}: ${count(n)}`), table(title, ["where", "why"], lines), cut);
}

function repeatSection() {
  const text = JSON.stringify(data.config, null, 2);
  const button = h("button", { type: "button" }, "Copy configuration");
  button.addEventListener("click", () => copy(text, button));
  const head = h("div", { class: "controls", style: "margin:0" }, h("h3", {}, "Effective configuration"), button);
  const versions = Object.entries(data.versions).map(([name, version]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "mono wrap" }, version)));
  return section(
    "repeat", "Repeat this run", "The same videos, configuration and releases give the same frames.",
    h("div", { class: "grid two" },
      h("div", { class: "card" }, head, h("pre", { tabindex: "0", "aria-label": "Effective configuration", role: "region" }, text)),
      h("div", { class: "card" }, h("h3", {}, "Releases"), h("table", { class: "plain" }, h("tbody", {}, versions)))),
  );
}
