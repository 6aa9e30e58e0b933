package httpapi

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ictmedia/schoolmail/ox/appsuite"
)

// Fields of contacts. Names, numbers, CSV titles and limits are taken from
// package appsuite; what values do is the simulator's own.

// fieldsByNumber and fieldsByTitle find a field's JSON name.
var fieldsByNumber, fieldsByTitle = func() (map[int]string, map[string]string) {
	numbers, titles := map[int]string{}, map[string]string{}
	for _, c := range appsuite.Columns() {
		numbers[c.Number()] = string(c)
		if t := c.CSVTitle(); t != "" {
			titles[t] = string(c)
		}
	}
	return numbers, titles
}()

var knownFields = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range fieldsByNumber {
		m[name] = true
	}
	return m
}()

func KnownField(name string) bool { return knownFields[name] }

func isDate(field string) bool { return field == "birthday" || field == "anniversary" }

func isNumber(field string) bool { return field == "color_label" || field == "default_address" }

func isFlag(field string) bool { return field == "private_flag" }

func isMail(field string) bool { return field == "email1" || field == "email2" || field == "email3" }

const simDate = "2006-01-02"

// fieldJSON is a field's value in an answer. A field that was never set is null.
func fieldJSON(fields map[string]string, name string) any {
	text, ok := fields[name]
	if !ok {
		if isFlag(name) {
			return false
		}
		return nil
	}
	switch {
	case isDate(name):
		t, err := time.Parse(simDate, text)
		if err != nil {
			return nil
		}
		return t.UnixMilli()
	case isNumber(name):
		n, _ := strconv.Atoi(text)
		return n
	case isFlag(name):
		return text == "true"
	}
	return text
}

// fieldFromJSON reads a value of a body; remove says that it was null.
func fieldFromJSON(name string, raw json.RawMessage) (text string, remove bool, problem *failure) {
	if string(raw) == "null" {
		return "", true, nil
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return "", false, badValue(name)
	}
	switch v := v.(type) {
	case string:
		if isDate(name) {
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				return "", false, badValue(name)
			}
			return time.UnixMilli(n).UTC().Format(simDate), false, nil
		}
		return v, false, nil
	case float64:
		if isDate(name) {
			return time.UnixMilli(int64(v)).UTC().Format(simDate), false, nil
		}
		return strings.TrimSpace(string(raw)), false, nil
	case bool:
		return strconv.FormatBool(v), false, nil
	}
	return "", false, badValue(name)
}

// validMail is about what OX lets through as an address. An address without "@"
// passes, blanks and doubled signs do not.
func validMail(s string) bool {
	if s == "" {
		return true
	}
	local, domain, ok := strings.Cut(s, "@")
	if !ok {
		domain = "x"
	}
	if local == "" || domain == "" || strings.Contains(domain, "@") {
		return false
	}
	for _, r := range s {
		if r <= ' ' || r > '~' || strings.ContainsRune(`()<>[]:;,"\`, r) {
			return false
		}
	}
	return true
}

// CheckField checks a value against limit and syntax.
func CheckField(name, text string) *failure {
	c := appsuite.Column(name)
	if l := c.Limit(); l > 0 && utf8.RuneCountInString(text) > l {
		return oxErr("CON-0154", catTruncated, "Some data entered exceeded the field limit.").
			with("problematic", []any{map[string]any{"id": c.Number(), "max_size": l}})
	}
	if isMail(name) && !validMail(text) {
		return oxErr("CON-0100", catInput, "The E-Mail address you entered is not valid.")
	}
	for _, r := range text {
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' {
			return oxErr("CON-0168", catInput, "The field %s holds invalid characters.", name)
		}
	}
	return nil
}
