// A chosen frame in large, with all that is known of it and its nearest earlier choice.

const large = h("dialog", { id: "frame", "aria-labelledby": "frame-title" });

function showFrame(frame) {
  const earlier = () => step(frame, -1);
  const later = () => step(frame, 1);
  const button = (text, label, run) =>
    h("button", { type: "button", "aria-label": label, disabled: !run, onclick: run }, text);
  const top = h(
    "div", { class: "top" },
    h("h2", { id: "frame-title" }, `Choice ${choiceName(frame.rank)}`),
    button("‹ Earlier", "Earlier choice", beside(frame, -1) && earlier),
    button("Later ›", "Later choice", beside(frame, 1) && later),
    button("Close", "Close", () => large.close()),
  );
  const pictureOf = picture(frame, `Chosen frame: ${place(frame)}`);
  large.replaceChildren(top, h("div", { class: "body" }, h("div", { class: "grid" }, pictureOf, nearest(frame)), frameFacts(frame)));
  large.onkeydown = (event) => {
    if (event.key === "ArrowLeft") earlier();
    if (event.key === "ArrowRight") later();
  };
  if (!large.open) large.showModal();
}

const beside = (frame, by) => frames[frames.indexOf(frame) + by];

function step(frame, by) {
  const next = beside(frame, by);
  if (!next) return;
  showFrame(next);
  const buttons = [...large.querySelectorAll(".top button:enabled")];
  const wanted = by < 0 ? "Earlier choice" : "Later choice";
  (buttons.find((b) => b.getAttribute("aria-label") === wanted) ?? buttons.at(-1)).focus();
}

function imageText(frame) {
  if (!frame.image) return "not stored";
  return frame.href ? h("a", { href: frame.href, class: "wrap" }, named(frame.image)) : named(frame.image);
}

function frameFacts(frame) {
  const rows = [
    ...(data.of_images ? [] : [["Video", named(frame.video)], ["Frame", count(frame.frame)], ["Time", clock(frame.time)]]),
    ["Decided by", frame.by ?? "–"], ["Distance", nearestText(frame)],
    ["Image", imageText(frame)],
  ];
  return h("dl", {}, rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

function nearest(frame) {
  const other = frame.nearest === null ? null : byRank.get(frame.nearest);
  if (!other) return null;
  const open = h(
    "button", { type: "button", class: "frame", onclick: () => showFrame(other) },
    picture(other, ""), h("span", { class: "facts" }, h("b", {}, choiceName(other.rank)), named(place(other))),
  );
  const text = `Nearest earlier choice, at ${figure(frame.distance)}`;
  return h("div", { class: "nearest" }, h("span", { class: "muted small" }, text), h("div", { style: "width:200px" }, open));
}
