import react from "vike-react/config";

export default { extends: [react], prerender: true };
