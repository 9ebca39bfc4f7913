// Near twins side by side, balance, histograms of numbers and of distances.

function twinsSection() {
  if (!data.twins.length) return null;
  const lead = "A frame that was left out, and the chosen frame that stands for it: the closest pairs, ordinary ones, and the farthest.";
  return section("twins", "Near twins", lead, h("ul", { class: "grid three twins" }, data.twins.map(twinCard)));
}

function twinCard(twin) {
  const chosen = byRank.get(twin.rank);
  const side = (label, content, text) => h("figure", {}, content, h("figcaption", {}, h("span", { class: "label" }, label), h("br"), named(text)));
  const left = side("left out", picture(twin, `Left out: ${place(twin)}`), place(twin));
  const open = chosen && h(
    "button", { type: "button", class: "frame", style: "height:auto", "aria-label": `Choice ${choiceName(twin.rank)}`, onclick: () => showFrame(chosen) }, picture(chosen, ""),
  );
  const right = side(`choice ${choiceName(twin.rank)}`, open ?? h("span", { class: "picture" }, "earlier run"), chosen ? place(chosen) : "");
  const title = h("h3", {}, `${twin.kind} pair: distance ${figure(twin.distance)}`);
  return h("li", { class: "card grid" }, title, h("div", { class: "pair" }, left, right));
}

function balanceSection() {
  if (!data.balances.length) return null;
  const lead = "What was asked for, what the choice reached, and what the candidates have.";
  return section("balance", "Balance", lead, h("div", { class: "grid three" }, data.balances.map((chart) => barCard(chart))));
}

function histogramsSection() {
  if (!data.histograms.length) return null;
  const lead = "Every number and category of the frames that took part: shares of the pool (wide bars) and of the choice (narrow bars). A dashed line is a threshold.";
  return section("distributions", "Pool and choice", lead, h("div", { class: "grid three" }, data.histograms.map(saidCard)));
}

function distancesSection() {
  if (!data.distances.length) return null;
  const lead = "How near each frame has its nearest neighbour; counts are on a logarithmic axis.";
  return section("distances", "Distances", lead, h("div", { class: "grid three" }, data.distances.map(saidCard)));
}

/** A picture with its figures in words below. */
function saidCard(chart) {
  const card = barCard(chart);
  card.querySelector(".plot").after(h("p", { class: "metrics" }, chart.description));
  return card;
}
