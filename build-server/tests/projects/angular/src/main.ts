import { Component } from "@angular/core";
import { bootstrapApplication } from "@angular/platform-browser";

@Component({ selector: "app-root", template: "<h1>Made by {{ component }}</h1>" })
class App {
  component = "a component of Angular";
}

bootstrapApplication(App);
