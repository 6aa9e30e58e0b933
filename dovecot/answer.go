package dovecot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// ResultRow is one row of an answer: names and values as the server gives them.
// Numbers and booleans, which a few commands send, are kept as text.
type ResultRow map[string]string

// answer is the answer to one command.
type answer struct {
	tag  string
	rows []ResultRow
	// object is the answer of "user", the only command that sends no rows.
	object json.RawMessage
	// errType is empty on success.
	errType  string
	exitCode int
}

// parseAnswers reads the body of a response with HTTP status 200:
//
//	[["doveadmResponse", [ROW, ...], "tag"], ["error", {"type": T, "exitCode": N}, "tag"], ...]
//
// 2.3.19 writes the rows of "who" wrongly when there are several users: only
// the first is in the array, the others follow it as further elements before
// the tag. They are gathered here.
func parseAnswers(body []byte) ([]answer, error) {
	var raw [][]json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, err
	}
	answers := make([]answer, 0, len(raw))
	for i, parts := range raw {
		a, err := parseAnswer(parts)
		if err != nil {
			return nil, fmt.Errorf("answer %d: %w", i+1, err)
		}
		answers = append(answers, a)
	}
	return answers, nil
}

func parseAnswer(parts []json.RawMessage) (answer, error) {
	var a answer
	if len(parts) < 3 {
		return a, errors.New("fewer than three elements")
	}
	var kind string
	if err := json.Unmarshal(parts[0], &kind); err != nil {
		return a, fmt.Errorf("kind: %w", err)
	}
	last := len(parts) - 1
	if err := json.Unmarshal(parts[last], &a.tag); err != nil {
		return a, fmt.Errorf("tag: %w", err)
	}
	switch kind {
	case "doveadmResponse":
		first := bytes.TrimSpace(parts[1])
		if last == 2 && len(first) > 0 && first[0] == '{' {
			a.object = parts[1]
			return a, nil
		}
		rows, err := parseRows(parts[1])
		if err != nil {
			return a, err
		}
		a.rows = rows
		for _, p := range parts[2:last] {
			r, err := parseRow(p)
			if err != nil {
				return a, err
			}
			a.rows = append(a.rows, r)
		}
	case "error":
		var e struct {
			Type     string `json:"type"`
			ExitCode int    `json:"exitCode"`
		}
		if err := json.Unmarshal(parts[1], &e); err != nil {
			return a, fmt.Errorf("error: %w", err)
		}
		if e.Type == "" {
			return a, errors.New("error without a type")
		}
		a.errType, a.exitCode = e.Type, e.ExitCode
	default:
		return a, fmt.Errorf("unknown kind %q", kind)
	}
	return a, nil
}

func parseRows(raw json.RawMessage) ([]ResultRow, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("rows: %w", err)
	}
	rows := make([]ResultRow, 0, len(list))
	for _, p := range list {
		r, err := parseRow(p)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func parseRow(raw json.RawMessage) (ResultRow, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, fmt.Errorf("row: %w", err)
	}
	row := make(ResultRow, len(fields))
	for k, v := range fields {
		var s string
		switch {
		case len(v) > 0 && v[0] == '"':
			if err := json.Unmarshal(v, &s); err != nil {
				return nil, fmt.Errorf("row: %w", err)
			}
		case string(v) == "null":
		default:
			s = string(v)
		}
		row[k] = s
	}
	return row, nil
}

// number reads a decimal value of a row, which must be there.
func number[T ~int | ~int64 | ~uint32 | ~uint64](r ResultRow, key string) (T, error) {
	s, ok := r[key]
	if !ok {
		return 0, fmt.Errorf("no field %q", key)
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || uint64(T(n)) != n {
		return 0, fmt.Errorf("field %q is not such a number: %q", key, s)
	}
	return T(n), nil
}
