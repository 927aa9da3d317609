"use strict";
(function () {
  // The slider over the grids of samples: without this script the last one stands there.
  var slider = document.getElementById("step");
  if (slider) {
    var frames = document.querySelectorAll(".frame"), now = document.getElementById("now");
    var show = function () {
      var chosen = frames[Number(slider.value)];
      frames.forEach(function (frame) { frame.classList.toggle("shown", frame === chosen); });
      now.textContent = chosen.dataset.step;
      slider.setAttribute("aria-valuetext", "step " + chosen.dataset.step);
    };
    slider.addEventListener("input", show);
    slider.closest(".control").hidden = false;
    slider.value = frames.length - 1;
    show();
  }

  // Values of a chart under a pointer, a finger, or the arrow keys.
  document.querySelectorAll("svg.chart").forEach(function (svg) {
    var data = JSON.parse(svg.dataset.chart), cursor = svg.querySelector(".cursor");
    var tip = document.createElement("div"), steps = [], place = -1;
    tip.className = "tip";
    tip.hidden = true;
    svg.parentNode.appendChild(tip);
    data.lines.forEach(function (line) { steps = steps.concat(line.x); });
    steps = Array.from(new Set(steps)).sort(function (a, b) { return a - b; });
    var nearest = function (list, value) {
      var low = 0, high = list.length - 1;
      while (low < high) {
        var middle = (low + high) >> 1;
        if (list[middle] < value) { low = middle + 1; } else { high = middle; }
      }
      return low && value - list[low - 1] < list[low] - value ? low - 1 : low;
    };
    var pixel = function (step) {
      return data.x[2] + (step - data.x[0]) / (data.x[1] - data.x[0]) * (data.x[3] - data.x[2]);
    };
    var show = function (number) {
      place = Math.max(0, Math.min(steps.length - 1, number));
      var step = steps[place], x = pixel(step), words = ["step " + step.toLocaleString("en")];
      data.lines.forEach(function (line) {
        var value = line.x.length ? line.y[nearest(line.x, step)] : null;
        words.push(line.label + "  " + (value === null ? "\u2013" : String(value).replace("-", "\u2212")));
      });
      tip.textContent = words.join("\n");
      tip.hidden = false;
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
      cursor.setAttribute("visibility", "visible");
      var scale = svg.clientWidth / svg.viewBox.baseVal.width, left = x * scale + 10;
      if (left + tip.offsetWidth > svg.clientWidth) { left = Math.max(0, x * scale - 10 - tip.offsetWidth); }
      tip.style.left = left + "px";
      tip.style.top = svg.getBoundingClientRect().top - svg.parentNode.getBoundingClientRect().top + 34 * scale + "px";
    };
    var hide = function () {
      tip.hidden = true;
      cursor.setAttribute("visibility", "hidden");
    };
    var point = function (event) {
      var box = svg.getBoundingClientRect(), x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
      show(nearest(steps, data.x[0] + (x - data.x[2]) / (data.x[3] - data.x[2]) * (data.x[1] - data.x[0])));
    };
    svg.addEventListener("pointermove", point);
    svg.addEventListener("pointerdown", point);
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", function (event) {
      var move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (move) { show(place < 0 ? steps.length - 1 : place + move); event.preventDefault(); }
      if (event.key === "Escape") { hide(); }
    });
  });
})();
