// Package demo shows the main job: an installation registers, its user signs in, enrolls, a portal asks "is it really
// you?", the phone answers, and every step stands in the audit log. It brings stand-ins of Apple's and Google's push
// services and of a portal, a virtual phone, and a web page that shows the phone beside the live log. The server under
// it is the real one; it knows nothing of the demo but its settings.
package demo
