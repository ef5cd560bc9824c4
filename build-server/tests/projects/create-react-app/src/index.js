import { createRoot } from "react-dom/client";

createRoot(document.getElementById("root")).render(<h1>Made by a component of React</h1>);
