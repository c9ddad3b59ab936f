
"use strict";
(() => {
  const PERIOD = 1500, KEY = "place";
  const shown = document.querySelector("meta[name=version]").content;
  const status = document.getElementById("live");
  const words = status.textContent;
  const slider = document.getElementById("film-slider");
  const frames = () => JSON.parse(document.getElementById("film-data").textContent).epochs;
  // Where the reader left it alone, the new page chooses.
  const moved = () => slider !== null && slider.value !== slider.defaultValue;

  /** Where the reader is: to be found again on the page that comes. Kept at the last moment, since this page answers until then. */
  const keep = () => {
    const checked = [...document.querySelectorAll("input[type=radio]:checked")].map((input) => input.id);
    const open = [...document.querySelectorAll("details")].map((details) => details.open);
    const epoch = moved() ? frames()[Number(slider.value)] : null;
    const focus = document.activeElement === document.body ? "" : document.activeElement.id;
    sessionStorage.setItem(KEY, JSON.stringify({ scroll: window.scrollY, checked, open, epoch, focus }));
  };

  const leave = () => {
    window.addEventListener("pagehide", keep);
    location.reload();
  };

  const come = () => {
    const place = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    sessionStorage.removeItem(KEY);
    if (place === null) return;
    for (const id of place.checked) {
      const input = document.getElementById(id);
      if (input && !input.checked) input.click();
    }
    const all = document.querySelectorAll("details");
    if (all.length === place.open.length) all.forEach((details, n) => { details.open = place.open[n]; });
    if (slider && place.epoch !== null) {
      const epochs = frames(), later = epochs.findIndex((epoch) => epoch >= place.epoch);
      slider.value = String(later < 0 ? epochs.length - 1 : later);
      slider.dispatchEvent(new Event("input"));
    }
    if (place.focus) document.getElementById(place.focus)?.focus({ preventScroll: true });
    window.scrollTo({ top: place.scroll, behavior: "instant" });
  };

  /** A movie that plays is not torn away. */
  const busy = () => document.getElementById("film-play")?.textContent === "Pause";

  const ask = async () => {
    try {
      const answer = await fetch("/state", { cache: "no-cache" });
      const { version, note } = await answer.json();
      status.textContent = note ? `${words} ${note}` : words;
      if (version !== shown && !busy()) return leave();
    } catch {
      status.textContent = `${words} The watching program does not answer: this is the last that it said.`;
    }
    setTimeout(ask, PERIOD);
  };

  history.scrollRestoration = "manual";
  come();
  setTimeout(ask, PERIOD);
})();
