export default function (config) {
  config.addPassthroughCopy({ 'content/style.css': 'style.css' })

  return {
    dir: { input: 'content' },
  }
}
