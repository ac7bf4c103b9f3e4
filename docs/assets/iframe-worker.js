// Browsers start no worker for a page that is opened from a file. There the search runs in a hidden frame instead, which has the
// interface of a worker. Material for MkDocs would load a script for this from another host if none were configured.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.appendChild(frame);
      const inside = frame.contentWindow;
      this.terminate = () => frame.remove();
      window.addEventListener("message", (event) => {
        if (event.source === inside) this.dispatchEvent(new MessageEvent("message", { data: event.data }));
      });
      const loaded = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
      this.postMessage = (data) => loaded.then(() => inside.dispatchEvent(new MessageEvent("message", { data })));
      inside.document.open();
      inside.document.write(
        `<script>postMessage = (data) => parent.postMessage(data, "*");</script><script src="${new URL(url, location)}"></script>`
      );
      inside.document.close();
    }
  };
}
