'use strict';
// The OpenID provider's frame of OpenID Connect Session Management 1.0 §3. A page of the client posts
// "<client id> <session state>"; the answer is "unchanged", "changed" or "error". Only the origin that the server found
// registered is answered, and only with its own name as the target.
(function () {
  var origin = document.documentElement.getAttribute('data-origin');
  if (!origin) {
    return;
  }

  function browserState() {
    var found = '';
    document.cookie.split('; ').forEach(function (pair) {
      var at = pair.indexOf('=');
      var name = pair.slice(0, at);
      if (name === 'opbs' || (name === 'LEGACY_opbs' && found === '')) {
        found = pair.slice(at + 1);
      }
    });
    return found;
  }

  function hex(buffer) {
    return Array.from(new Uint8Array(buffer), function (b) {
      return b.toString(16).padStart(2, '0');
    }).join('');
  }

  window.addEventListener('message', function (event) {
    if (event.origin !== origin || !event.source) {
      return;
    }
    function answer(word) {
      event.source.postMessage(word, origin);
    }
    var parts = typeof event.data === 'string' ? event.data.split(' ') : [];
    var salt = parts.length === 2 ? parts[1].split('.') : [];
    if (parts.length !== 2 || parts[0] === '' || salt.length !== 2 || salt[0] === '' || salt[1] === '' || !window.crypto.subtle) {
      answer('error');
      return;
    }
    var text = parts[0] + origin + browserState() + salt[1];
    window.crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)).then(function (sum) {
      answer(hex(sum) === salt[0] ? 'unchanged' : 'changed');
    }, function () {
      answer('error');
    });
  });
}());
