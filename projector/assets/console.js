// The console works without scripts. This adds the charts, says when a page cannot be refreshed, and lets a reader stop the refreshing.
"use strict";

(() => {
    const INTERVAL = 2000;
    const connection = document.getElementById("connection");
    const button = document.getElementById("pause-refresh");
    let isPaused = false;

    const report = text => {
        if (connection.textContent !== text) connection.textContent = text;
    };

    // ---- refreshing, by htmx ----

    const refreshed = document.querySelectorAll("[hx-get]");
    if (refreshed.length > 0) {
        button.hidden = false;
        button.addEventListener("click", () => {
            isPaused = !isPaused;
            button.setAttribute("aria-pressed", String(isPaused));
            button.textContent = isPaused ? "Refresh again" : "Stop refreshing";
        });
    }
    // A link that is being pressed, and text that is selected, must not be replaced meanwhile.
    let isPressing = false;
    addEventListener("pointerdown", () => isPressing = true, true);
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => setTimeout(() => isPressing = false), true);
    const isInUse = element => {
        const selection = document.getSelection();
        return isPressing || selection && !selection.isCollapsed && element.contains(selection.anchorNode);
    };
    document.body.addEventListener("htmx:beforeRequest", event => {
        if (isPaused || isInUse(event.target)) event.preventDefault();
    });
    document.body.addEventListener("htmx:beforeSwap", event => {
        if (isPaused || isInUse(event.target)) event.detail.shouldSwap = false;
    });
    document.body.addEventListener("htmx:afterRequest", event => {
        if (event.detail.successful) report("");
    });
    const failed = () => report("The page cannot be refreshed: the projector does not answer.");
    document.body.addEventListener("htmx:responseError", failed);
    document.body.addEventListener("htmx:sendError", failed);

    // A screen reader reads what is new about an operation, and not the rest of what was refreshed.
    const announcement = document.getElementById("announcement");
    const announce = () => {
        const text = document.querySelector("[data-announce]")?.textContent ?? "";
        if (announcement && announcement.textContent !== text) announcement.textContent = text;
    };
    announce();
    document.body.addEventListener("htmx:afterSwap", announce);

    // ---- charts, by uPlot ----

    const charts = document.getElementById("lag-charts");
    if (!charts || !window.uPlot) return;
    charts.hidden = false;
    const color = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const plots = new Map();

    const STEPS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7].flatMap(unit => [unit, 2 * unit, 5 * unit]);

    // 12:00:05, in UTC.
    const clock = at => new Date(at * 1e3).toISOString().slice(11, 19);

    const draw = (place, names, data) => {
        const width = Math.max(place.clientWidth, 200);
        const axis = {stroke: color("--quiet"), grid: {stroke: color("--line"), width: 1}, ticks: {stroke: color("--line"), width: 1}};
        const series = names.map((label, n) => ({
            label,
            stroke: color(`--series-${n % 5 + 1}`),
            width: 2,
            dash: [[], [6, 4], [2, 3], [10, 4, 2, 4], [4, 2]][n % 5],
            points: {show: data[0].length < 2},
        }));
        const range = (plot, min, max) => [0, max > 0 ? max * 1.1 : 1];
        place.replaceChildren();
        return new uPlot({
            width,
            height: 220,
            scales: {y: {range}},
            axes: [{...axis, values: (plot, ticks) => ticks.map(clock), space: 80}, {...axis, size: 56, incrs: STEPS}],
            series: [{}, ...series],
            legend: {live: false},
            cursor: {points: {show: false}},
        }, data, place);
    };

    const show = lag => {
        for (const place of charts.querySelectorAll(".chart")) {
            const data = [lag.at, ...lag[place.dataset.series]];
            const plot = plots.get(place);
            const names = lag.names.join();
            if (plot && plot.names === names && plot.count > 1) {
                plot.plot.setData(data);
            } else {
                plots.set(place, {plot: draw(place, lag.names, data), names, count: lag.at.length});
            }
            const last = lag[place.dataset.series].map((values, n) => `${lag.names[n]} ${values.at(-1) ?? 0}`);
            place.setAttribute("aria-label", `${place.previousElementSibling.textContent}, now: ${last.join(", ")}`);
        }
    };

    let latest;
    const refresh = async () => {
        if (isPaused || document.hidden) return;
        try {
            const response = await fetch(charts.dataset.source, {headers: {"HX-Request": "true"}});
            if (response.ok) show(latest = await response.json());
        } catch {
            // What refreshes the table reports it.
        }
    };
    const redraw = () => {
        plots.clear();
        if (latest) show(latest);
    };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    addEventListener("resize", redraw);
    refresh();
    setInterval(refresh, INTERVAL);
})();
