'use strict';
// Goes on by itself where the page would only ask for a press: back into the app, or with the answer to the client.
// Frames of the page, which tell clients about a logout, come first: they have four seconds.
var link = document.getElementById('continue');
var form = document.getElementById('answer');
function go() {
  window.location.assign(link.href);
}
if (form) {
  form.submit();
} else if (link && document.querySelector('iframe')) {
  window.addEventListener('load', go);
  window.setTimeout(go, 4000);
} else if (link) {
  go();
}
