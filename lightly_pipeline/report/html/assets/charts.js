// Pictures of lines and bars: their values come with the page, Plotly draws them.

const LOOKS = {
  choice: { dash: "solid", width: 3 },
  random: { dash: "dash", width: 2 },
  even: { dash: "dot", width: 2 },
  pool: { dash: "solid", width: 2 },
  asked: { dash: "solid", width: 2 },
};
const QUIET = { displayModeBar: false, responsive: true, doubleClick: false };
const drawn = [];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** A card with a picture that is drawn when it comes near, and its numbers as a table. */
function chartCard(chart, draw, numbers, tag = "figure") {
  const plot = h("div", { class: "plot", role: "img", "aria-label": chart.description });
  whenNear(plot, () => {
    draw(plot);
    drawn.push(() => draw(plot));
  });
  const details = h("details", {}, h("summary", {}, "Numbers"));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(numbers());
  });
  return h(tag, { class: "card chart" }, h("h3", {}, named(chart.title)), plot, details);
}

function layout(chart, more = {}) {
  const axis = {
    gridcolor: colour("line"), linecolor: colour("line"), zerolinecolor: colour("line"),
    automargin: true, fixedrange: true, ticks: "", title: { standoff: 8 },
  };
  return {
    paper_bgcolor: "transparent", plot_bgcolor: "transparent", dragmode: false,
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("muted") },
    margin: { l: 44, r: 12, t: 34, b: 40 }, hovermode: "x unified",
    hoverlabel: { bgcolor: colour("surface"), bordercolor: colour("edge"), font: { color: colour("text") } },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { color: colour("text") } },
    xaxis: { ...axis, title: { text: escaped(chart.x_label), standoff: 8 }, showgrid: false },
    yaxis: { ...axis, title: { text: escaped(chart.y_label), standoff: 6 }, rangemode: "tozero" },
    ...more,
  };
}

/** Plotly reads some tags in its texts: names of users are told to be text. */
const escaped = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

function lineCard(chart, tag) {
  const draw = (plot) => {
    const traces = chart.lines.map((line) => ({
      type: "scatter", mode: line.x.length > 1 ? "lines" : "markers", name: line.name,
      x: line.x, y: line.y, hovertemplate: "%{y:.3g}",
      line: { color: colour(line.role), ...LOOKS[line.role] }, marker: { color: colour(line.role), size: 8 },
    }));
    Plotly.react(plot, traces, layout(chart, { shapes: orderMark() }), QUIET);
  };
  const card = chartCard(chart, draw, () => lineNumbers(chart), tag);
  onOrder(() => {
    const plot = card.querySelector(".js-plotly-plot");
    if (plot) Plotly.relayout(plot, { shapes: orderMark() });
  });
  return card;
}

function orderMark() {
  if (order.n === frames.length) return [];
  const line = { color: colour("accent"), width: 2 };
  return [{ type: "line", x0: order.n, x1: order.n, y0: 0, y1: 1, yref: "paper", line }];
}

function lineNumbers(chart) {
  const ns = [...new Set(chart.lines.flatMap((line) => line.x))].sort((a, b) => a - b);
  const rows = ns.map((n) => [count(n), ...chart.lines.map((line) => {
    const at = line.x.indexOf(n);
    return at < 0 ? "" : figure(line.y[at]);
  })]);
  return table(chart.title, ["n", ...chart.lines.map((line) => line.name)], rows, [0, 1, 2, 3]);
}

function barCard(chart, tag) {
  return chartCard(chart, (plot) => drawBars(plot, chart), () => barNumbers(chart), tag);
}

function drawBars(plot, chart) {
  const { edges, labels, bars } = chart;
  const middles = edges && edges.slice(1).map((edge, i) => (edge + edges[i]) / 2);
  const widths = edges && edges.slice(1).map((edge, i) => edge - edges[i]);
  const traces = bars.map((bar, i) => ({
    type: "bar", name: bar.name, x: middles ?? labels.map(escaped), y: bar.heights,
    // Bars of one bin of numbers stand over each other, the narrower one in front.
    width: widths && widths.map((width) => width * (i ? 0.5 : 0.96)),
    marker: { color: colour(bar.role), line: { width: 0 } },
    customdata: binNames(chart), hovertemplate: "%{customdata}: %{y:.3g}",
  }));
  const top = chart.rules.map((rule) => ({
    x: rule.x, y: 1, yref: "paper", text: escaped(rule.label), showarrow: false,
    xanchor: ruleSide(rule.x, edges), yanchor: "top", font: { color: colour("text"), size: 11 },
    bgcolor: colour("surface"),
  }));
  const shapes = chart.rules.map((rule) => ({
    type: "line", x0: rule.x, x1: rule.x, y0: 0, y1: 1, yref: "paper",
    line: { color: colour("damaged"), width: 2, dash: "dash" },
  }));
  const spec = layout(chart, { annotations: top, shapes, bargap: 0.15, hovermode: "closest" });
  spec.barmode = edges ? "overlay" : "group";
  spec.showlegend = bars.length > 1;
  if (!edges) spec.xaxis.type = "category";
  if (chart.log_y) Object.assign(spec.yaxis, { type: "log", rangemode: "normal", dtick: 1 });
  Plotly.react(plot, traces, spec, QUIET);
}

const ruleSide = (x, edges) => (edges && x > (edges[0] + edges.at(-1)) / 2 ? "right" : "left");

function binNames({ edges, labels }) {
  if (!edges) return labels.map(escaped);
  return edges.slice(1).map((edge, i) => `${figure(edges[i])} to ${figure(edge)}`);
}

function barNumbers(chart) {
  const names = chart.edges ? binNames(chart) : chart.labels;
  const columns = chart.bars.flatMap((bar) => (bar.counts ? [bar.name, `${bar.name}, %`] : [bar.name]));
  const rows = names.map((name, i) => [
    name,
    ...chart.bars.flatMap((bar) => (bar.counts ? [count(bar.counts[i]), figure(bar.heights[i])] : [figure(bar.heights[i])])),
  ]);
  return table(chart.title, [chart.x_label, ...columns], rows, columns.map((_, i) => i + 1));
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach((draw) => draw()));
