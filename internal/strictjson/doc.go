// Package strictjson reads JSON objects of others as they stand: encoding/json takes the last of two equal members, and
// members whose names differ in case, so that two readers of one text could see two things in it.
package strictjson
