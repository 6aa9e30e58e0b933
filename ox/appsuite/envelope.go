package appsuite

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Timestamp is OX's clock: milliseconds since 1970, UTC. Zero means none.
type Timestamp int64

// Unconditional is a timestamp in the far future (year 9999). Sent with a write
// it switches off optimistic locking for that write.
const Unconditional Timestamp = 253402300799000

// Time returns t as a time in UTC.
func (t Timestamp) Time() time.Time { return time.UnixMilli(int64(t)).UTC() }

// envelope is the object around nearly every answer.
type envelope struct {
	Data       json.RawMessage `json:"data"`
	Timestamp  flexInt         `json:"timestamp"`
	Error      *string         `json:"error"`
	Params     []any           `json:"error_params"`
	Desc       string          `json:"error_desc"`
	ID         string          `json:"error_id"`
	Code       string          `json:"code"`
	Categories flexStrings     `json:"categories"`
	Category   flexInt         `json:"category"`
}

const legacyWarning = 13 // number of the category WARNING

// problem returns the error of the envelope and whether it is fatal. Warnings
// are not: the call was carried out.
func (e *envelope) problem() (err *Error, fatal bool) {
	if e.Error == nil && e.Code == "" {
		return nil, false
	}
	err = &Error{Code: e.Code, ID: e.ID, Desc: e.Desc}
	if e.Error != nil {
		err.Message = *e.Error
	}
	for _, p := range e.Params {
		err.Params = append(err.Params, fmt.Sprint(p))
	}
	fatal = len(e.Categories) > 0 || e.Category != legacyWarning
	warnings := 0
	for _, c := range e.Categories {
		err.Categories = append(err.Categories, Category(c))
		if Category(c) == CategoryWarning {
			warnings++
		}
	}
	if warnings > 0 && warnings == len(e.Categories) {
		fatal = false
	}
	err.Kind = kindOf(err.Code, err.Categories)
	return err, fatal
}

var errNotJSON = errors.New("answer is not JSON")

// parseEnvelope reads an answer: a plain JSON object, or, for uploads answered
// as HTML, the object handed to the callback function.
func parseEnvelope(body []byte) (*envelope, error) {
	b := bytes.TrimSpace(body)
	if len(b) == 0 || b[0] != '{' {
		i, j := bytes.Index(b, []byte("({")), bytes.LastIndex(b, []byte("})"))
		if i < 0 || j < i {
			return nil, errNotJSON
		}
		b = b[i+1 : j+1]
	}
	var e envelope
	if err := json.Unmarshal(b, &e); err != nil {
		return nil, errNotJSON
	}
	return &e, nil
}

// flexInt reads a number that may be written as a string; null is 0.
type flexInt int64

func (n *flexInt) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	if s == "null" || s == "" {
		*n = 0
		return nil
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f, ferr := strconv.ParseFloat(s, 64)
		if ferr != nil || f != f || f > 1<<62 || f < -1<<62 {
			return errors.New("not a number")
		}
		v = int64(f)
	}
	*n = flexInt(v)
	return nil
}

// flexString reads a text that may be written as a number or a boolean; null is "".
type flexString string

func (s *flexString) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var v string
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		*s = flexString(v)
		return nil
	}
	if string(b) == "null" {
		*s = ""
		return nil
	}
	if len(b) > 0 && (b[0] == '{' || b[0] == '[') {
		return errors.New("not a plain value")
	}
	*s = flexString(b)
	return nil
}

// flexStrings reads a list of texts that may be written as a single one.
type flexStrings []string

func (s *flexStrings) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		var v []flexString
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		*s = nil
		for _, x := range v {
			*s = append(*s, string(x))
		}
		return nil
	}
	var v flexString
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	*s = nil
	if v != "" {
		*s = flexStrings{string(v)}
	}
	return nil
}
