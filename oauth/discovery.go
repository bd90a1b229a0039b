package oauth

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"tokenserver/internal/settings"
	"tokenserver/internal/web"
)

// published is the discovery document as bytes, for the settings and the algorithm that it was made from.
type published struct {
	settings  *settings.Snapshot
	algorithm string
	body      []byte
}

// discovery answers GET and POST /oauth/.well-known/openid-configuration, and the same document at the path of RFC 8414.
func (h *Handler) discovery(c echo.Context) error {
	if err := h.Signing.Refresh(c.Request().Context()); err != nil {
		return err
	}
	now, algorithm := h.Settings.Current(), h.Signing.CurrentAlgorithm()
	kept := h.published.Load()
	if kept == nil || kept.settings != now || kept.algorithm != algorithm {
		body, err := json.Marshal(newMetadata(h.Issuer, now, algorithm))
		if err != nil {
			return fmt.Errorf("encode discovery document: %w", err)
		}
		kept = &published{now, algorithm, body}
		h.published.Store(kept)
	}
	return public(c, kept.body)
}

// jwks answers GET /oauth/v1/keys with the public signing keys.
func (h *Handler) jwks(c echo.Context) error {
	if err := h.Signing.Refresh(c.Request().Context()); err != nil {
		return err
	}
	return public(c, h.Signing.JWKS())
}

// public sends a document that everybody may read and keep for five minutes, in the browser too.
func public(c echo.Context, body []byte) error {
	header := c.Response().Header()
	header.Set(echo.HeaderCacheControl, "public, max-age=300")
	header.Set(echo.HeaderAccessControlAllowOrigin, "*")
	return c.Blob(http.StatusOK, web.JSONType, body)
}
