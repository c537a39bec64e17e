// Before the first paint, so that a chosen theme does not flash.
(function () {
  try {
    const chosen = localStorage.getItem("forebay-theme");
    if (chosen === "light" || chosen === "dark") {
      document.documentElement.dataset.theme = chosen;
    }
  } catch {
    // Storage may be forbidden: the system's theme it is.
  }
})();
