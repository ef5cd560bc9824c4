import { render } from "solid-js/web";

render(() => <h1>Made by a component of Solid</h1>, document.getElementById("app"));
