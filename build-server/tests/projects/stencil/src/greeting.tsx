import { Component, h } from "@stencil/core";

@Component({ tag: "my-greeting" })
export class Greeting {
  render() {
    return <h1>Made by a component of Stencil</h1>;
  }
}
