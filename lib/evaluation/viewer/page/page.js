// The viewer's page: its parts, and the kernel behind it, which is asked by messages ({do: …}) and answers by messages
// of the same name (replies.js).
import { make, Timers, uuid } from "./dom.js";
import { Labels } from "./labels.js";
import { List } from "./list.js";
import { Drafts } from "./drafts.js";
import { Pictures } from "./pictures.js";
import { Stage } from "./stage.js";
import { Boxes } from "./boxes.js";
import { Quads } from "./quads.js";
import { Loupe, RectifiedBox } from "./panels.js";
import { Adjustments } from "./adjust.js";
import { Actions } from "./actions.js";
import { Hand } from "./hand.js";
import { Navigation } from "./navigation.js";
import { Keys } from "./keys.js";
import { Dialogs } from "./dialogs.js";
import { Bar } from "./bar.js";
import { Side } from "./side.js";
import { Foot, Strip } from "./strip.js";
import { Gestures } from "./gestures.js";
import { Session } from "./session.js";
import { showOverlays } from "./overlays.js";

class View {
  constructor(model, el) {
    this.model = model;
    this.id = uuid();
    this.items = [];
    this.about = this.labels = null;   // known when the kernel has answered `open`
    this.timers = new Timers();
    this.build();
    el.append(this.root);
    this.session = new Session(this, model);
    this.say({ do: "open" });
  }

  // What is kept or edited of the picture on the screen: {label, status, note}.
  get now() { return this.drafts.now(this.list.at); }

  get reviewer() { return this.bar.who.value.trim(); }

  say(message) {
    this.model.send({ view: this.id, ...message });
  }

  build() {
    this.root = make("div", "corebox");
    this.root.tabIndex = 0;
    this.root.setAttribute("role", "application");
    this.root.setAttribute("aria-label", "verification viewer");
    this.root.dataset.lmSuppressShortcuts = "true";   // JupyterLab keeps its own keys to itself here
    this.root.addEventListener("keydown", (event) => this.keys.press(event));
    for (const name of ["keyup", "contextmenu"]) this.root.addEventListener(name, (event) => event.stopPropagation());
    this.list = new List(this);
    this.drafts = new Drafts(this);
    this.pictures = new Pictures(this);
    this.stage = new Stage(this);
    [this.boxes, this.quads] = [new Boxes(this), new Quads(this)];
    this.actions = new Actions(this);
    this.hand = new Hand(this);
    this.navigation = new Navigation(this);
    [this.loupe, this.rectifiedBox] = [new Loupe(this), new RectifiedBox(this)];
    this.adjust = new Adjustments(this.root, this.id);
    this.dialogs = new Dialogs(this);
    [this.bar, this.side, this.strip, this.foot] = [new Bar(this), new Side(this), new Strip(this), new Foot(this)];
    this.root.append(this.bar.node, make("div", "middle", "", [this.stage.node, this.side.node]), this.strip.node, this.foot.node,
                     this.dialogs.node);
    this.keys = new Keys(this);
    this.gestures = new Gestures(this);
    this.dark(isDark());
  }

  // The kernel has told what there is.
  opened(message) {
    Object.assign(this, { about: message, items: message.items, readOnly: message.read_only, labels: new Labels(message) });
    this.root.classList.toggle("read-only", this.readOnly);
    this.root.classList.toggle("boxed", this.labels.boxed || this.labels.several);
    this.bar.open(message);
    this.side.open(message);
    this.learn(message);
    this.list.arrange();
    this.navigation.begin(location.hash);
    this.say({ do: "retry" });
    this.session.watch(message.refresh);
  }

  // Revisions came, and the place where they are kept.
  learn({ revisions, place, offline }) {
    this.offline = offline ?? "";
    if (place) this.keptIn = place;
    for (const revision of revisions) this.labels.add(revision);
  }

  show() {
    if (!this.about) return;
    this.bar.show();
    this.side.show();
    this.foot.show();
    showOverlays(this);
    this.drawAll();
  }

  drawAll() {
    this.stage.draw();
    this.timers.frame("loupe", () => this.loupe.draw());
    this.timers.frame("box", () => this.rectifiedBox.draw());
  }

  // The stage shows another part of the picture, or shows it larger.
  moved() {
    this.stage.draw();
    this.pictures.detail();
  }

  turn(by) {
    this.stage.camera.turn(by);
    this.drawAll();
    this.pictures.detail();
  }

  toggleLines() {
    this.stage.linesShown = !this.stage.linesShown;
    this.drawAll();
  }

  // The stage has drawn a picture: how long that took since the key is the benchmark's to read.
  pictureShown(item) {
    if (this.pressedAt && this.root.dataset.shown !== item.image) {
      this.root.dataset.ms = (performance.now() - this.pressedAt).toFixed(1);
      this.pressedAt = 0;
    }
    this.root.dataset.shown = item.image;
  }

  notify(text, kind = "") {
    const node = make("div", `toast ${kind}`, text);
    node.setAttribute("role", "alert");
    this.root.append(node);
    setTimeout(() => node.remove(), 9000);
  }

  dark(night) {
    this.night = night;
    this.root.classList.toggle("dark", night);
  }
}

function isDark() {
  const lab = document.body.dataset.jpThemeLight;
  return lab ? lab === "false" : matchMedia("(prefers-color-scheme: dark)").matches;
}

export default {
  render({ model, el }) {
    const view = new View(model, el);
    return () => view.session.close();
  },
};
