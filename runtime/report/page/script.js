"use strict";
// Draws the report from the numbers in #data. No library, nothing loaded.
const runs = JSON.parse(document.getElementById("data").textContent).runs;
const state = { hidden: new Set(), smooth: 0, axis: "step", at: null };
const root = document.documentElement;
const element = (name, attributes = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};
const color = (i) => `var(--run-${i % 8})`;
const swatch = (paint) => element("i", { class: "swatch", style: `background:${paint}` });

// ---- Numbers -----------------------------------------------------------------------------------------------------------
const isNumber = (value) => value !== null && value !== undefined;
const number = (value) => {
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size >= 1e15 || size < 1e-4) return value.toExponential(2).replace("e+", "e").replace(/\.?0*e/, "e");
  for (const [unit, name] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]])
    if (size >= unit) return trimZeros((value / (name === "k" ? 1e3 : unit)).toPrecision(4)) + name;
  return size >= 1000 ? value.toFixed(0) : trimZeros(value.toPrecision(4));
};
const trimZeros = (text) => text.includes(".") ? text.replace(/\.?0+$/, "") : text;
const percent = (value) => value === 0 ? "0 %" : trimZeros((100 * value).toPrecision(3)) + " %";
const byteUnit = (value) => value >= 2 ** 30 ? 2 ** 30 : value >= 2 ** 20 ? 2 ** 20 : 2 ** 10;
const bytes = (value) => value === 0 ? "0" : (value / byteUnit(value) >= 1000 ? (value / byteUnit(value)).toFixed(0) : trimZeros((value / byteUnit(value)).toPrecision(3))) + { [2 ** 30]: " GiB", [2 ** 20]: " MiB", [2 ** 10]: " KiB" }[byteUnit(value)];
const seconds = (value) => value === 0 ? "0 s" : value < 1e-3 ? trimZeros((value * 1e6).toPrecision(3)) + " µs" : value < 1 ? trimZeros((value * 1e3).toPrecision(3)) + " ms"
  : value < 120 ? trimZeros(value.toPrecision(3)) + " s" : value < 7200 ? trimZeros((value / 60).toPrecision(3)) + " min" : trimZeros((value / 3600).toPrecision(3)) + " h";
const column = (run, key) => run.columns[key];
const present = (values) => (values || []).filter(isNumber);
const mean = (values) => values.length ? values.reduce((a, b) => a + b, 0) / values.length : null;
const median = (values) => values.length ? [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] : null;
const tail = (values) => values.slice(-Math.max(1, Math.ceil(values.length / 10)));

// ---- What is drawn -----------------------------------------------------------------------------------------------------
const sections = [
  ["Does it learn?", [
    { key: "reward_mean", title: "Reward", note: "mean over the step's training samples", share: true },
    { key: "heldout_reward", title: "Held-out reward", note: "on problems that are never trained on", points: true, share: true }]],
  ["Do training and rollout agree?", [
    { key: "train_rollout_logprob_abs_diff", title: "Mismatch", note: "mean |log p train − log p rollout| of sampled tokens", zero: true },
    { key: "train_rollout_logprob_mismatches", title: "Tokens that differ", note: "sampled tokens whose two log-probabilities are not the same bits", zero: true }]],
  ["What does it say?", [
    { key: "response_length_mean", title: "Response length", note: "tokens, mean" },
    { key: "truncated_fraction", title: "Truncated", note: "share of responses cut at the length limit", format: percent },
    { key: "entropy", title: "Entropy", note: "nats per sampled token" }]],
  ["How does it train?", [
    { key: "gradient_norm", title: "Gradient norm", note: "before clipping" },
    { key: "loss", title: "Loss", note: "policy objective", signed: true },
    { key: "kl", title: "KL", note: "from the reference policy", signed: true },
    { key: "clip_fraction", title: "Clipped", note: "share of tokens whose ratio was clipped", format: percent },
    { key: "learning_rate", title: "Learning rate", note: "of the step", exact: true },
    { key: "reward_std", title: "Reward spread", note: "standard deviation over the step's samples" }]],
  ["What does it cost?", [
    { stack: true, title: "Time of a step", note: "seconds in each phase" },
    { key: "tokens_per_second", title: "Throughput", note: "tokens per second", floor: true },
    { key: "memory_peak_bytes", title: "Memory", note: "of the whole process, peak so far", format: bytes, exact: true, floor: true, unit: byteUnit },
    { key: "memory_device_peak_bytes", title: "Memory of the device", note: "allocated there, peak so far", format: bytes, exact: true, floor: true, unit: byteUnit },
    { key: "memory_device_free_bytes", title: "Free memory of the device", note: "whoever takes the rest", format: bytes, exact: true, floor: true, unit: byteUnit },
    { key: "memory_host_tensor_peak_bytes", title: "Tensors on the host", note: "peak so far", format: bytes, exact: true, floor: true, unit: byteUnit },
    { key: "memory_parameter_bytes", title: "Memory of the state", note: "weights, packed weights, masters, moments, gradients", format: bytes, exact: true, floor: true, unit: byteUnit },
    { key: "memory_train_arena_bytes", title: "Memory of training", note: "on the host: activations and what they need", format: bytes, exact: true, floor: true, unit: byteUnit },
    { key: "memory_rollout_arena_bytes", title: "Memory of rollout", note: "on the host: activations and what they need", format: bytes, exact: true, floor: true, unit: byteUnit },
    { key: "memory_rollout_cache_bytes", title: "Memory of the cache", note: "keys and values of the rollout", format: bytes, exact: true, floor: true, unit: byteUnit }]],
];
// What else a run may have measured.
const words = {
  clip_scale: ["Gradient scale", "what clipping multiplied the gradient by"],
  groups_kept: ["Prompts kept", "whose rewards differ: trained on"],
  groups_dropped: ["Prompts dropped", "whose rewards are all equal"],
  heldout_length_mean: ["Held-out response length", "tokens, mean"],
  heldout_reward_failed: ["Held-out failed rewards", "responses of an evaluation without a reward: count 0"],
  log_kept_mass: ["Kept mass", "log of the share that top-k, top-p and min-p kept, mean"],
  reward_failed: ["Failed rewards", "responses without a reward: not trained on"],
  samples: ["Samples", "responses of the step"],
  sampling_rounds: ["Sampling rounds", "of the step, to fill up what was dropped"],
  train_rollout_logprob_tokens: ["Tokens compared", "sampled tokens whose two log-probabilities were compared"],
  trained_tokens: ["Tokens trained on", "of responses or answers"],
  updates: ["Updates", "optimizer updates of the step"],
};
const known = new Set(sections.flatMap(([, charts]) => charts.map((chart) => chart.key)).concat(["step", "tokens", "weight_version"]));
const others = [...new Set(runs.flatMap((run) => Object.keys(run.columns)))].filter((key) => !known.has(key) && !key.startsWith("time_"));
const named = (key) => (words[key] || [key.replaceAll("_", " ")])[0];
// One number in all steps of all runs needs no chart.
const constants = others.map((key) => [key, new Set(runs.flatMap((run) => present(column(run, key))))]).filter(([, values]) => values.size === 1);
const varying = others.filter((key) => !constants.some(([constant]) => constant === key));
if (varying.length) sections.push(["Also measured", varying.map((key) => ({ key, title: named(key), note: (words[key] || [])[1] || "", signed: true }))]);

// ---- Axes --------------------------------------------------------------------------------------------------------------
const phaseKeys = [...new Set(runs.flatMap((run) => Object.keys(run.columns)))].filter((key) => key.startsWith("time_"))
  .sort((a, b) => order(a) - order(b) || (a < b ? -1 : 1));
function order(key) { const at = ["time_rollout", "time_reward", "time_compare", "time_train", "time_update", "time_eval"].indexOf(key); return at < 0 ? 9 : at; }
const phasePaint = (i) => `var(--phase-${Math.min(i, 5)})`;
const running = (values) => { let sum = 0; return values.map((value) => (sum += value || 0)); };
for (const run of runs) {
  const steps = run.columns.step;
  const total = steps.map((_, i) => phaseKeys.reduce((sum, key) => sum + ((column(run, key) || [])[i] || 0), 0));
  run.axes = { step: steps, time: running(total), tokens: running(column(run, "tokens") || steps.map(() => 0)) };
  run.total = total;
}
for (const option of [...document.getElementById("axis").options])
  if (option.value !== "step" && !runs.every((run) => !run.columns.step.length || run.axes[option.value].at(-1) > 0)) option.remove();
const axisFormat = () => state.axis === "time" ? seconds : number;
const axisName = { step: "step", time: "after", tokens: "tokens" };

// Round values from low to high, about `count` of them.
function ticks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) || 10);
  const out = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; ++i) out.push(i * step === 0 ? 0 : +(i * step).toPrecision(12));
  return out;
}
// What is exact or sparse is shown as it is.
const isSmoothed = (chart) => state.smooth > 0 && !chart.zero && !chart.points && !chart.exact;
// The mean of a moving average from the left and one from the right: it does not lag behind.
function smoothed(chart, values) {
  if (!isSmoothed(chart)) return values;
  const pass = (list) => {
    let average = 0, weight = 0;
    return list.map((value) => {
      if (!isNumber(value)) return null;
      average = state.smooth * average + (1 - state.smooth) * value;
      weight = state.smooth * weight + (1 - state.smooth);
      return average / weight;
    });
  };
  const back = pass([...values].reverse()).reverse();
  return pass(values).map((value, i) => (isNumber(value) ? (value + back[i]) / 2 : null));
}
// Points of a path; of a long series the least and the largest value of every pixel column.
function path(xs, ys, x, y) {
  let points = xs.map((value, i) => [x(value), ys[i]]).filter(([, value]) => isNumber(value));
  if (points.length > 2400) {
    const buckets = new Map();
    for (const point of points) {
      const at = Math.round(point[0] * 1.5), bucket = buckets.get(at);
      if (!bucket) buckets.set(at, [point, point]);
      else { if (point[1] < bucket[0][1]) bucket[0] = point; if (point[1] > bucket[1][1]) bucket[1] = point; }
    }
    points = [...buckets.values()].flatMap(([a, b]) => a === b ? [a] : a[0] < b[0] ? [a, b] : [b, a]);
  }
  return points.map(([px, value], i) => `${i ? "L" : "M"}${px.toFixed(1)} ${y(value).toFixed(1)}`).join("");
}
const visible = () => runs.map((run, i) => ({ run, i })).filter(({ run, i }) => run.columns.step.length && !state.hidden.has(i));

// Scales and the drawn axes of a plot: domain [x0, x1] and values [low, high].
function frame(width, height, domain, range, format, unitOf = () => 1) {
  const left = 52, right = 8, top = 8, bottom = 20;
  const [x0, x1] = domain; let [low, high] = range;
  const unit = unitOf(high);
  if (!(high > low)) { const pad = Math.abs(high) * 0.1 || 1; high += pad; if (low !== 0) low -= pad; }
  const marks = ticks(low / unit, high / unit, 4).map((mark) => mark * unit);
  const x = (value) => left + (x1 > x0 ? (value - x0) / (x1 - x0) : 0.5) * (width - left - right);
  const y = (value) => height - bottom - (value - low) / (high - low) * (height - top - bottom);
  let svg = "";
  for (const mark of marks) svg += `<line class="${mark === 0 ? "axis" : "grid"}" x1="${left}" x2="${width - right}" y1="${y(mark)}" y2="${y(mark)}"/><text class="tick" x="${left - 6}" y="${y(mark) + 4}" text-anchor="end">${format(mark)}</text>`;
  const span = state.axis !== "time" || x1 < 120 ? 1 : x1 < 7200 ? 60 : 3600; // round seconds, minutes or hours
  for (const mark of x1 > x0 ? ticks(x0 / span, x1 / span, Math.max(2, width / 110)).map((value) => value * span) : [x0])
    svg += `<text class="tick" x="${x(mark)}" y="${height - 4}" text-anchor="middle">${axisFormat()(mark)}</text>`;
  return { x, y, svg, left, right: width - right, top, bottom: height - bottom, invert: (px) => x0 + (px - left) / (width - left - right) * (x1 - x0) };
}
function extent(lists, chart) {
  let low = Infinity, high = -Infinity;
  for (const list of lists) for (const value of list) if (isNumber(value)) { if (value < low) low = value; if (value > high) high = value; }
  if (low > high || (chart.share && low >= 0 && high <= 1)) return [0, 1];
  if (low > 0 && (chart.floor || (!chart.signed && low < 0.6 * high))) low = 0;
  const pad = (high - low) * 0.04;
  return [low === 0 ? 0 : low - pad, high + pad];
}
const domain = (list) => { const [low, high] = [Math.min(...list.map(({ run }) => run.axes[state.axis][0])), Math.max(...list.map(({ run }) => run.axes[state.axis].at(-1)))]; return [state.axis === "step" ? low : 0, high]; };
// Index of the value nearest to `at` on an ascending axis, of those that `values` has.
function nearest(axis, at, values) {
  let best = -1;
  for (let i = 0; i < axis.length; ++i) if (isNumber(values[i]) && (best < 0 || Math.abs(axis[i] - at) < Math.abs(axis[best] - at))) best = i;
  return best;
}

// ---- Charts ------------------------------------------------------------------------------------------------------------
const plots = [];
// A plot knows how to draw itself and what it says at a place of the x axis.
function addPlot(host, height, draw, describe) {
  const holder = element("div", { class: "plot", style: `height:${height}px` });
  host.append(holder);
  const plot = { holder, height, draw, describe };
  plots.push(plot);
  holder.addEventListener("pointermove", (event) => { state.at = plot.frame ? Math.min(Math.max(plot.frame.invert(event.clientX - holder.getBoundingClientRect().left), plot.domain[0]), plot.domain[1]) : null; drawCursors(plot); });
  holder.addEventListener("pointerleave", () => { state.at = null; drawCursors(null); });
}
function redraw(plot) {
  const width = plot.holder.clientWidth, list = visible();
  plot.holder.innerHTML = "";
  plot.frame = null;
  if (!width || !list.length) return;
  plot.domain = domain(list);
  const { frame: made, body, label } = plot.draw(width, plot.height, plot.domain, list);
  plot.frame = made;
  plot.holder.innerHTML = `<svg viewBox="0 0 ${width} ${plot.height}" height="${plot.height}" role="img" aria-label="${label}">${made.svg}${body}<g class="cursors"></g></svg>`;
}
const escapeText = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
function drawCursors(active) {
  for (const plot of plots) {
    const group = plot.holder.querySelector(".cursors");
    plot.holder.querySelector(".tip")?.remove();
    if (!group) continue;
    group.innerHTML = "";
    if (state.at === null || state.at < plot.domain[0] || state.at > plot.domain[1]) continue;
    const found = plot.describe(state.at, visible());
    if (!found.rows.length) continue;
    const px = plot.frame.x(found.at);
    group.innerHTML = `<line class="cursor" x1="${px}" x2="${px}" y1="${plot.frame.top}" y2="${plot.frame.bottom}"/>` +
      found.rows.filter((row) => isNumber(row.y)).map((row) => `<circle class="dot" r="3.5" cx="${plot.frame.x(row.x)}" cy="${plot.frame.y(row.y)}" style="fill:${row.paint}"/>`).join("");
    if (plot !== active) continue;
    const tip = element("div", { class: "tip" });
    tip.innerHTML = `<b>${axisName[state.axis]} ${axisFormat()(found.at)}</b>` + found.rows.map((row) =>
      `<div><i class="swatch" style="background:${row.paint}"></i><span class="name">${escapeText(row.name)}</span><span class="value">${row.text}</span></div>`).join("");
    plot.holder.append(tip);
    // Beside the cursor where there is room, else above the plot.
    const wide = tip.offsetWidth + 16, right = plot.holder.clientWidth - px >= wide, left = px >= wide;
    tip.style.left = `${right ? px + 12 : left ? px - wide + 4 : Math.max(0, plot.holder.clientWidth - wide)}px`;
    if (!right && !left) tip.style.top = `${4 - tip.offsetHeight}px`;
  }
}
function lineChart(card, chart) {
  const format = chart.format || number;
  addPlot(card, 190, (width, height, span, list) => {
    const shown = list.filter(({ run }) => present(column(run, chart.key)).length);
    const made = frame(width, height, span, extent(shown.map(({ run }) => column(run, chart.key)), chart), format, chart.unit);
    let body = "";
    for (const { run, i } of shown) {
      const xs = run.axes[state.axis], ys = column(run, chart.key), paint = `style="stroke:${color(i)}"`;
      if (isSmoothed(chart)) body += `<path class="raw" ${paint} d="${path(xs, ys, made.x, made.y)}"/>`;
      body += `<path class="line" ${paint} d="${path(xs, smoothed(chart, ys), made.x, made.y)}"/>`;
      if ((chart.points && present(ys).length < 80) || present(ys).length === 1)
        ys.forEach((value, k) => { if (isNumber(value)) body += `<circle class="dot" r="3" cx="${made.x(xs[k])}" cy="${made.y(value)}" style="fill:${color(i)}"/>`; });
    }
    return { frame: made, body, label: escapeText(`${chart.title} of ${shown.map(({ run }) => run.name).join(", ")}`) };
  }, (at, list) => {
    let where = at;
    const rows = list.filter(({ run }) => present(column(run, chart.key)).length).map(({ run, i }) => {
      const raw = column(run, chart.key), k = nearest(run.axes[state.axis], at, raw);
      const shown = smoothed(chart, raw)[k];
      where = run.axes[state.axis][k];
      return { name: run.name, paint: color(i), x: where, y: shown, text: isSmoothed(chart) ? `${format(shown)} <span class="name">(${format(raw[k])})</span>` : format(raw[k]) };
    });
    return { at: rows.length === 1 || state.axis === "step" ? where : at, rows };
  });
}
function stackChart(card, { run, i }) {
  const keys = phaseKeys.filter((key) => present(column(run, key)).length);
  const layers = []; // sums up to and with each phase
  let below = run.total.map(() => 0);
  for (const key of keys) { below = below.map((sum, k) => sum + (column(run, key)[k] || 0)); layers.push(below); }
  const most = () => Math.max(...visible().flatMap((other) => [...other.run.total].sort((a, b) => a - b).slice(Math.floor(other.run.total.length * 0.98))));
  addPlot(card, 150, (width, height, span) => {
    const made = frame(width, height, span, [0, most() * 1.04], seconds);
    const xs = run.axes[state.axis];
    let body = "";
    for (let layer = layers.length - 1; layer >= 0; --layer) {
      const floor = layer ? layers[layer - 1] : xs.map(() => 0);
      const back = path([...xs].reverse(), [...floor].reverse(), made.x, made.y).replace("M", "L");
      body += `<path d="${path(xs, layers[layer], made.x, made.y)}${back}Z" style="fill:${phasePaint(phaseKeys.indexOf(keys[layer]))};opacity:.88"/>`;
    }
    return { frame: made, body, label: escapeText(`Time of each phase of ${run.name}`) };
  }, (at) => {
    const k = nearest(run.axes[state.axis], at, run.total);
    const rows = keys.map((key) => ({ name: key.slice(5), paint: phasePaint(phaseKeys.indexOf(key)), text: seconds(column(run, key)[k] || 0) })).reverse();
    return { at: run.axes[state.axis][k], rows: [...rows, { name: "together", paint: "transparent", text: seconds(run.total[k]) }] };
  });
}
function addStacks(card) {
  const phases = element("div", { class: "phases" });
  phaseKeys.forEach((key, i) => phases.append(element("span", {}, swatch(phasePaint(i)), key.slice(5))));
  const stacks = element("div", { class: "stacks" });
  runs.forEach((run, i) => {
    if (!phaseKeys.some((key) => column(run, key))) return;
    const cell = element("div", { "data-run": i }, element("h4", {}, swatch(color(i)), run.name));
    stackChart(cell, { run, i });
    stacks.append(cell);
  });
  card.append(phases, stacks);
}
// Says of which runs it is known that they never differ from zero: a line on the axis is easily overlooked.
function badge(chart) {
  if (!chart.zero) return [];
  const zeros = runs.map((run, i) => [present(column(run, chart.key)), i]).filter(([values]) => values.length && values.every((value) => value === 0));
  return zeros.length ? [element("span", { class: "badge" }, ...zeros.map(([, i]) => swatch(color(i))), "exactly 0 at every step")] : [];
}
function build() {
  const host = document.getElementById("charts");
  for (const [title, charts] of sections) {
    const cards = element("div", { class: "cards" });
    for (const chart of charts) {
      if (!(chart.stack ? phaseKeys.length : runs.some((run) => present(column(run, chart.key)).length))) continue;
      const card = element("div", { class: chart.stack ? "card wide" : "card" }, element("h3", {}, chart.title, ...badge(chart)), element("p", {}, chart.note));
      cards.append(card);
      if (chart.stack) addStacks(card); else lineChart(card, chart);
    }
    if (cards.children.length) host.append(element("h2", {}, title), cards);
  }
  if (constants.length) host.append(element("p", { class: "constants" }, "The same in every step: " + constants.map(([key, [value]]) => `${named(key).toLowerCase()} ${number(value)}`).join(", ") + "."));
  if (!plots.length) host.append(element("p", { class: "empty" }, "No step has been measured yet."));
}

// ---- Summary and controls ----------------------------------------------------------------------------------------------
const summary = [
  ["Steps", "", (run) => run.columns.step.length ? number(run.columns.step.at(-1) + 1) : "0"],
  ["Reward", "last tenth", (run) => mean(tail(present(column(run, "reward_mean")))), number],
  ["Held-out reward", "first", (run) => present(column(run, "heldout_reward"))[0], number],
  ["Held-out reward", "last", (run) => present(column(run, "heldout_reward")).at(-1), number],
  ["Held-out reward", "best", (run) => present(column(run, "heldout_reward")).reduce((a, b) => Math.max(a, b), -Infinity), number],
  ["Mismatch", "largest step", (run) => present(column(run, "train_rollout_logprob_abs_diff")).reduce((a, b) => Math.max(a, b), -Infinity), number, true],
  ["Tokens that differ", "all steps", (run) => column(run, "train_rollout_logprob_mismatches") ? present(column(run, "train_rollout_logprob_mismatches")).reduce((a, b) => a + b, 0) : null, number, true],
  ["Tokens", "all steps", (run) => column(run, "tokens") ? run.axes.tokens.at(-1) : null, number],
  ["Tokens/s", "median", (run) => median(present(column(run, "tokens_per_second"))), number],
  ["Step", "median", (run) => phaseKeys.length ? median(run.total) : null, seconds],
  ["Wall time", "all steps", (run) => phaseKeys.length ? run.axes.time.at(-1) : null, seconds],
  ["Memory", "peak", (run) => present(column(run, "memory_peak_bytes")).reduce((a, b) => Math.max(a, b), -Infinity), bytes],
  ["Device memory", "peak", (run) => present(column(run, "memory_device_peak_bytes")).reduce((a, b) => Math.max(a, b), -Infinity), bytes],
];
function buildSummary() {
  const cells = summary.map(([, , value]) => runs.map(value)).map((values) => values.map((value) => typeof value === "number" && !Number.isFinite(value) ? null : value));
  const used = summary.map((_, c) => cells[c].some(isNumber));
  const head = element("tr", {}, element("th", {}, "Run"));
  summary.forEach(([name, how], c) => used[c] && head.append(element("th", {}, name, element("small", {}, how || "\u00a0"))));
  const table = element("table", {}, element("thead", {}, head));
  const body = element("tbody");
  runs.forEach((run, r) => {
    const row = element("tr", { "data-run": r }, element("td", {}, element("span", {}, swatch(color(r)), run.name)));
    summary.forEach(([, , , format, zero], c) => {
      if (!used[c]) return;
      const value = cells[c][r];
      row.append(element("td", zero && value === 0 ? { class: "zero" } : {}, !isNumber(value) ? "–" : format ? format(value) : value));
    });
    body.append(row);
  });
  table.append(body);
  document.getElementById("summary").append(element("div", { class: "card" }, element("div", { class: "scroll" }, table)));
}
function update() {
  for (const node of document.querySelectorAll("tr[data-run]")) node.className = state.hidden.has(+node.dataset.run) ? "off" : "";
  for (const node of document.querySelectorAll(".stacks [data-run]")) node.hidden = state.hidden.has(+node.dataset.run);
  plots.forEach(redraw);
}
function buildControls() {
  runs.forEach((run, i) => {
    const chip = element("button", { class: "chip", type: "button", "aria-pressed": "true", title: run.name }, swatch(color(i)), element("span", {}, run.name));
    chip.addEventListener("click", () => {
      if (!state.hidden.delete(i)) state.hidden.add(i);
      chip.setAttribute("aria-pressed", String(!state.hidden.has(i)));
      update();
    });
    document.getElementById("legend").append(chip);
  });
  const smooth = document.getElementById("smooth");
  // Longer runs need more of it; short ones are shown as they are.
  const longest = Math.max(...runs.map((run) => run.columns.step.length), 0);
  smooth.value = longest < 80 ? 0 : Math.min(0.98, 1 - 40 / longest).toFixed(2);
  state.smooth = +smooth.value;
  document.getElementById("smooth-value").textContent = smooth.value;
  smooth.addEventListener("input", () => { state.smooth = +smooth.value; document.getElementById("smooth-value").textContent = smooth.value; update(); });
  document.getElementById("axis").addEventListener("change", (event) => { state.axis = event.target.value; update(); });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  root.classList.toggle("dark", dark.matches);
  dark.addEventListener("change", () => root.classList.toggle("dark", dark.matches));
  document.getElementById("theme").addEventListener("click", () => root.classList.toggle("dark"));
  addEventListener("resize", update);
  addEventListener("beforeprint", update);
}
document.title = `Nibble report: ${runs.map((run) => run.name).join(", ")}`;
buildSummary();
buildControls();
build();
update();
