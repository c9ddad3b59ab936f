
"use strict";
(() => {
  const element = (id) => document.getElementById(id);
  const film = element("film"), stage = element("film-stage"), slider = element("film-slider");
  const play = element("film-play"), strip = element("film-strip");
  const data = JSON.parse(element("film-data").textContent);
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const label = bytes(data.label), straggler = bytes(data.straggler);
  const predicted = bytes(data.predicted), probability = bytes(data.probability);
  const planes = data.planes.map((plane) => ({ ...plane, at: new DataView(bytes(plane.at).buffer) }));
  const points = label.length, last = data.epochs.length - 1;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const FRAME = 190, CALM_FRAME = 800, REACH = 16, COLOURS = 6;
  // Stragglers are drawn after the others, so that they are seen.
  const order = [...label.keys()].sort((a, b) => straggler[a] - straggler[b]);

  let time = Number(slider.value), plane = 0, chosen = -1, playing = false, played = false, before = 0;
  let where = new Float32Array(2 * points);

  const ink = (name) => getComputedStyle(film).getPropertyValue(name).trim();
  const number = (value, digits = 4) => (value === null ? "–" : value.toFixed(digits));
  const frame = () => Math.round(time);
  const right = (point, k) => predicted[k * points + point] === label[point];

  /** Position of a point in a frame, across and up, each 0 to 1 of the extent. */
  const position = (k, point) => {
    const at = 4 * (k * points + point), view = planes[plane].at;
    return [view.getUint16(at, true) / 65535, view.getUint16(at + 2, true) / 65535];
  };

  /** From the plane to the stage: the same scale across and up, the whole circle where the points fill most of it. */
  const projection = () => {
    const [[x0, x1], [y0, y1]] = planes[plane].extent, size = stage.clientWidth, margin = 12;
    const range = Math.max(x1 - x0, y1 - y0), whole = range > 1.4;
    const scale = (size - 2 * margin) / (whole ? 2 : range);
    const origin = whole
      ? [size / 2, size / 2]
      : [size / 2 - (scale * (x0 + x1)) / 2, size / 2 + (scale * (y0 + y1)) / 2];
    return {
      scale, origin,
      x: (u) => origin[0] + scale * (x0 + u * (x1 - x0)), y: (v) => origin[1] - scale * (y0 + v * (y1 - y0)),
    };
  };

  const draw = () => {
    const size = stage.clientWidth, sharp = window.devicePixelRatio || 1;
    if (size === 0) return;
    if (stage.width !== Math.round(size * sharp)) stage.width = stage.height = Math.round(size * sharp);
    const pen = stage.getContext("2d"), to = projection();
    pen.setTransform(sharp, 0, 0, sharp, 0, 0);
    pen.clearRect(0, 0, size, size);
    const colours = Array.from({ length: COLOURS }, (_, k) => ink(`--c${k}`));
    const colour = (point) => colours[label[point] % COLOURS], paper = ink("--paper");
    pen.strokeStyle = ink("--rule");
    pen.lineWidth = 1;
    pen.beginPath();
    pen.arc(to.origin[0], to.origin[1], to.scale, 0, 2 * Math.PI);
    pen.moveTo(to.origin[0] - 6, to.origin[1]);
    pen.lineTo(to.origin[0] + 6, to.origin[1]);
    pen.moveTo(to.origin[0], to.origin[1] - 6);
    pen.lineTo(to.origin[0], to.origin[1] + 6);
    pen.stroke();
    const early = Math.floor(time), late = Math.min(early + 1, last), part = time - early, now = frame();
    for (const point of order) {
      const [u0, v0] = position(early, point), [u1, v1] = position(late, point);
      where[2 * point] = to.x(u0 + part * (u1 - u0));
      where[2 * point + 1] = to.y(v0 + part * (v1 - v0));
    }
    for (const point of order) {
      const x = where[2 * point], y = where[2 * point + 1], odd = straggler[point] === 1;
      pen.globalAlpha = odd ? 1 : 0.55;
      pen.beginPath();
      if (odd) {
        const r = 4.6;
        pen.moveTo(x, y - r);
        pen.lineTo(x + r, y);
        pen.lineTo(x, y + r);
        pen.lineTo(x - r, y);
        pen.closePath();
      } else if (label[point] < COLOURS) {
        pen.arc(x, y, 2.6, 0, 2 * Math.PI);
      } else {
        pen.rect(x - 2.3, y - 2.3, 4.6, 4.6);
      }
      if (right(point, now)) {
        pen.fillStyle = colour(point);
        pen.fill();
        if (odd) {
          pen.strokeStyle = paper;
          pen.lineWidth = 1;
          pen.stroke();
        }
      } else {
        pen.fillStyle = paper;
        pen.fill();
        pen.strokeStyle = colour(point);
        pen.lineWidth = odd ? 1.6 : 1.2;
        pen.stroke();
      }
    }
    pen.globalAlpha = 1;
    if (chosen >= 0) {
      pen.strokeStyle = pen.fillStyle = ink("--ink");
      pen.lineWidth = 1.5;
      pen.beginPath();
      for (let k = 0; k <= early; k += 1) {
        const [u, v] = position(k, chosen);
        if (k === 0) pen.moveTo(to.x(u), to.y(v));
        else pen.lineTo(to.x(u), to.y(v));
      }
      pen.lineTo(where[2 * chosen], where[2 * chosen + 1]);
      pen.stroke();
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(where[2 * chosen], where[2 * chosen + 1], 9, 0, 2 * Math.PI);
      pen.stroke();
    }
  };

  /** The curves above the slider, on its own axis: each to its own scale, a line at the epoch that is shown. */
  const drawStrip = () => {
    const width = strip.clientWidth, height = strip.clientHeight;
    if (width === 0) return;
    const x = (k) => 8 + ((width - 16) * k) / Math.max(last, 1);
    const lines = data.curves.map(({ values }, n) => {
      const known = values.filter((value) => value !== null);
      const low = Math.min(...known), range = Math.max(...known) - low || 1;
      const y = (value) => height - 4 - ((height - 8) * (value - low)) / range;
      const d = values.map((value, k) => (value === null ? "" : `${x(k).toFixed(1)} ${y(value).toFixed(1)}`));
      return `<path class="k${n % COLOURS}" d="M${d.filter((place) => place).join("L")}"/>`;
    });
    const mark = (k, name) => `<path class="${name}" d="M${x(k).toFixed(1)} 0V${height}"/>`;
    strip.setAttribute("viewBox", `0 0 ${width} ${height}`);
    strip.innerHTML = lines.join("") + (data.inversion === null ? "" : mark(data.inversion, "stop")) + mark(time, "now");
  };

  const row = (list, name, value, key) => {
    const box = document.createElement("div"), term = document.createElement("dt"), what = document.createElement("dd");
    if (key !== undefined) term.className = `key k${key % COLOURS}`;
    term.append(name);
    what.append(value);
    box.append(term, what);
    list.append(box);
  };

  const tell = () => {
    const k = frame();
    slider.value = String(k);
    slider.setAttribute("aria-valuetext", `epoch ${data.epochs[k]}`);
    element("film-epoch").textContent = data.epochs[k];
    element("film-mark").textContent = k === data.inversion ? "the stop epoch" : "";
    const list = element("film-values");
    list.replaceChildren();
    row(list, "training error", number(data.error[k]));
    data.curves.forEach(({ name, values }, n) => row(list, name, number(values[k]), n));
    tellPoint();
    draw();
    drawStrip();
  };

  const tellPoint = () => {
    const box = element("film-point"), k = frame();
    box.replaceChildren();
    if (chosen < 0) return;
    if (data.columns !== null) {
      const picture = document.createElement("i");
      picture.className = "pic";
      picture.setAttribute("role", "img");
      picture.setAttribute("aria-label", `sample ${data.index[chosen]}: ${data.words[chosen]}`);
      picture.style.setProperty("--x", chosen % data.columns);
      picture.style.setProperty("--y", Math.floor(chosen / data.columns));
      picture.style.setProperty("--z", 2);
      box.append(picture);
    }
    const list = document.createElement("dl"), at = k * points + chosen;
    row(list, "sample", `#${data.index[chosen]}`);
    row(list, "label", data.words[chosen]);
    row(list, "network says", data.classes[predicted[at]] ?? "–");
    if (probability[at] !== 255) row(list, `probability of ${data.classes[label[chosen]]}`, (probability[at] / 254).toFixed(2));
    row(list, "straggler of", `${data.replicas[chosen]} of ${data.of} replicas`);
    box.append(list);
  };

  const tellPlane = () => {
    const share = (axis) => `${axis.name} (${((axis.share ?? 0) * 100).toFixed(0)} % of the variance)`;
    const [across, up] = planes[plane].axes;
    element("film-axes").textContent = `Across: ${share(across)}. Up: ${share(up)}.`;
    draw();
  };

  const legend = () => {
    const list = element("film-legend");
    const entry = (words, mark) => {
      const item = document.createElement("li"), sign = document.createElement("i");
      sign.className = mark;
      item.append(sign, words);
      list.append(item);
    };
    data.classes.forEach((name, k) => entry(name, `dot k${k % COLOURS}${k < COLOURS ? "" : " square"}`));
    if (straggler.some((one) => one === 1)) entry("straggler", "dot diamond");
    entry("hollow: misclassified at this epoch", "dot hollow");
  };

  const stop = () => {
    playing = false;
    play.textContent = "Play";
  };

  const go = (to) => {
    stop();
    time = Math.min(Math.max(to, 0), last);
    tell();
  };

  const step = (now) => {
    if (!playing) return;
    // The first frame may have begun before the click.
    const passed = Math.max(now - before, 0);
    if (calm.matches) {
      if (passed >= CALM_FRAME) {
        before = now;
        time = Math.min(frame() + 1, last);
        tell();
      }
    } else {
      before = now;
      time = Math.min(time + Math.min(passed, 100) / FRAME, last);
      tell();
    }
    if (time >= last) stop();
    else requestAnimationFrame(step);
  };

  const toggle = () => {
    if (playing) return go(frame());
    // The page opens at the inversion; the movie begins at the beginning.
    if (!played || time >= last) time = 0;
    playing = played = true;
    play.textContent = "Pause";
    before = performance.now();
    tell();
    requestAnimationFrame(step);
  };

  const choose = (point) => {
    chosen = point;
    tellPoint();
    draw();
  };

  const cycle = (by) => {
    const some = straggler.some((one) => one === 1);
    for (let n = 1; n <= points; n += 1) {
      const from = chosen < 0 && by < 0 ? 0 : chosen, point = (((from + by * n) % points) + points) % points;
      if (!some || straggler[point] === 1) return choose(point);
    }
  };

  slider.addEventListener("input", () => go(Number(slider.value)));
  play.addEventListener("click", toggle);
  planes.forEach((_, k) => element(`plane-${k}`).addEventListener("change", () => { plane = k; tellPlane(); }));
  stage.addEventListener("click", (event) => {
    const box = stage.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    let best = -1, least = REACH * REACH;
    for (const point of order) {
      const distance = (where[2 * point] - x) ** 2 + (where[2 * point + 1] - y) ** 2;
      if (distance <= least) [best, least] = [point, distance];
    }
    choose(best);
  });
  film.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const own = event.target === stage, radio = event.target.type === "radio", button = event.target === play;
    const steps = { ArrowLeft: frame() - 1, ArrowRight: frame() + 1, Home: 0, End: last };
    if (event.key in steps && !radio) go(steps[event.key]);
    else if (event.key === " " && !radio && !button) toggle();
    else if (event.key === "Enter" && own) cycle(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape" && chosen >= 0) choose(-1);
    else return;
    event.preventDefault();
  });
  // The pictures of the stragglers come later on the page.
  document.addEventListener("DOMContentLoaded", () => {
    for (const card of document.querySelectorAll("[data-point]")) {
      card.tabIndex = 0;
      card.setAttribute("role", "button");
      card.title = "Show it in the movie";
      const show = () => {
        choose(Number(card.dataset.point));
        stage.focus({ preventScroll: true });
        film.scrollIntoView({ behavior: calm.matches ? "auto" : "smooth", block: "start" });
      };
      card.addEventListener("click", show);
      card.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          show();
        }
      });
    }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  film.hidden = false;
  legend();
  tellPlane();
  tell();
  new ResizeObserver(() => { draw(); drawStrip(); }).observe(stage);
})();
