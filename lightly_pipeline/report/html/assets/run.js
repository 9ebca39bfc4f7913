// The page of a run: its sections in order, the way between them.

const sections = [
  overview(), framesSection(), data.of_images ? null : timelinesSection(), mapSection(), twinsSection(), balanceSection(),
  histogramsSection(), distancesSection(), problemsSection(), repeatSection(),
].filter(Boolean);

const links = sections.map((part) => {
  const title = part.querySelector("h2").textContent;
  return h("li", {}, h("a", { href: `#${part.id}` }, title));
});

document.body.append(
  h("a", { class: "skip", href: "#frames" }, "Skip to the chosen frames"),
  h("header", { class: "bar" }, h("div", {}, h("strong", {}, named(data.dataset)), h("nav", { "aria-label": "Sections" }, h("ul", {}, links)))),
  h("main", {}, sections, h("footer", {}, "Made by lightly_pipeline. This page asks nothing of any network.")),
  ...[orderDock(), large].filter(Boolean),
);
setOrder(frames.length);
