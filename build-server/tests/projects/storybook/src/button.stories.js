export default { title: "Button", render: () => "<button>Made by a story</button>" };

export const Plain = {};
