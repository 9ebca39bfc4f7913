// How many of the choices are looked at: one number that frames, timelines, map and curves follow.

const frames = data.chosen;
const byRank = new Map(frames.map((frame) => [frame.rank, frame]));
const order = { n: frames.length, listeners: [] };

function onOrder(listener) {
  order.listeners.push(listener);
}

function setOrder(n) {
  order.n = Math.min(Math.max(Math.round(n) || 1, 1), frames.length);
  for (const listener of order.listeners) listener(order.n);
}

/** Whether a frame is among the first n choices. */
const isAmongFirst = (frame) => frames[order.n - 1] && frame.rank <= frames[order.n - 1].rank;

function orderDock() {
  if (frames.length < 2) return null;
  const slider = h("input", {
    type: "range", id: "order", min: 1, max: frames.length, value: frames.length,
    "aria-describedby": "order-says",
  });
  const box = h("input", {
    type: "number", min: 1, max: frames.length, value: frames.length,
    "aria-label": "Number of choices",
  });
  const says = h("output", { id: "order-says", for: "order" });
  slider.addEventListener("input", () => setOrder(slider.valueAsNumber));
  box.addEventListener("change", () => setOrder(box.valueAsNumber));
  onOrder((n) => {
    slider.value = box.value = n;
    says.textContent = orderText(n);
  });
  return h(
    "div", { class: "dock", role: "region", "aria-label": "Order of choice" },
    h("label", { for: "order" }, "First choices"), slider, box, says,
  );
}

function orderText(n) {
  const parts = [`${count(n)} of ${count(frames.length)}`];
  for (const [chart, words] of [[data.coverage[1], "median distance"], [data.coverage[0], "largest"]]) {
    const value = chart && coverageAt(chart, n);
    if (value !== null && value !== undefined) parts.push(`${words} ${figure(value)}`);
  }
  return parts.join(" · ");
}

/** The distance of this choice at n, between the points of its curve. */
function coverageAt(chart, n) {
  const line = chart.lines.find((candidate) => candidate.role === "choice");
  if (!line || !line.x.length) return null;
  const after = line.x.findIndex((x) => x >= n);
  if (after < 0) return line.y.at(-1);
  if (after === 0 || line.x[after] === n) return line.x[after] === n ? line.y[after] : null;
  const part = (n - line.x[after - 1]) / (line.x[after] - line.x[after - 1]);
  return line.y[after - 1] + part * (line.y[after] - line.y[after - 1]);
}
