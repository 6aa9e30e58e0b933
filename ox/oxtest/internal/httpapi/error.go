package httpapi

import (
	"fmt"
	"maps"
)

// httpError is a failure as OX reports it inside the envelope.
type failure struct {
	code     string
	category string
	text     string
	params   []any
	extra    map[string]any // further members of the envelope
}

func (e *failure) Error() string { return e.code + " " + e.text }

func (e *failure) with(key string, v any) *failure {
	c := *e
	c.extra = maps.Clone(e.extra)
	if c.extra == nil {
		c.extra = map[string]any{}
	}
	c.extra[key] = v
	return &c
}

const (
	catError      = "ERROR"
	catTryAgain   = "TRY_AGAIN"
	catInput      = "USER_INPUT"
	catPermission = "PERMISSION_DENIED"
	catConflict   = "CONFLICT"
	catTruncated  = "TRUNCATED"
	catWarning    = "WARNING"
)

var legacyCategory = map[string]int{
	catInput: 1, catPermission: 3, catTryAgain: 4, catError: 8, catConflict: 9, catTruncated: 12, catWarning: 13,
}

func oxErr(code, category, format string, args ...any) *failure {
	return &failure{code: code, category: category, text: fmt.Sprintf(format, args...)}
}

// envelope renders the error's members. n numbers the incident.
func (e *failure) envelope(n int64) map[string]any {
	params := e.params
	if params == nil {
		params = []any{}
	}
	m := map[string]any{
		"error": e.text, "error_params": params, "error_desc": e.text, "code": e.code,
		"categories": e.category, "category": legacyCategory[e.category], "error_id": fmt.Sprintf("%d-%d", 1763900000+n, n),
	}
	maps.Copy(m, e.extra)
	return m
}

func missingParameter(name string) *failure {
	e := oxErr("SVL-0002", catError, "Missing the following request parameter: %s", name)
	e.params = []any{name}
	return e
}

func missingField(name string) *failure {
	return oxErr("SVL-0009", catError, "Missing field %s", name)
}

func badValue(name string) *failure {
	return oxErr("SVL-0010", catInput, "Invalid value in parameter %s", name)
}

func unexpected(text string) *failure {
	return oxErr("SVL-0011", catError, "An unexpected error occurred: %s", text)
}
