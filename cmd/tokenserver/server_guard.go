package main

import "github.com/labstack/echo/v4"

// behind registers routes of a group with middleware in front of exactly these. Given to the group, echo would also put it in
// front of every other address under the prefix, and unknown addresses and wrong methods would be asked for credentials.
func behind(e *echo.Echo, prefix string, guard echo.MiddlewareFunc, register func(*echo.Group)) {
	type key struct{ method, path string }
	guarded := map[key]bool{}
	e.OnAddRouteHandler = func(_ string, r echo.Route, _ echo.HandlerFunc, _ []echo.MiddlewareFunc) {
		guarded[key{r.Method, r.Path}] = true
	}
	register(e.Group(prefix))
	e.OnAddRouteHandler = nil
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if guarded[key{c.Request().Method, c.Path()}] {
				return guard(next)(c)
			}
			return next(c)
		}
	})
}
