// Package people knows the persons behind user ids, whether this server keeps their password or an outside identity
// provider vouches for them. It has no HTTP of its own: identity providers of every kind bring persons in through Meet.
package people
