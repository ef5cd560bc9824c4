document.body.append("Made by a script");
