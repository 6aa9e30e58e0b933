package appsuite

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
)

// OX answers lists as rows: arrays of values in the order of the columns asked for.

var errRow = errors.New("row does not fit the columns asked for")

// Rows splits a list answer into rows of at least the width asked for. OX appends
// columns that nobody asked for: the module user takes parameters that it does not
// know for attributes to answer, and "multiple" adds four to each of its parts. So
// cells count from the left; what lies beyond width is cut off. A list of changes
// ("updates") holds the ids of what was deleted between its rows, unless asked
// with ignore=deleted; they come in deleted. A narrower row, or an answer without a
// list, is an error.
func Rows(data json.RawMessage, width int) (rows [][]json.RawMessage, deleted []string, err error) {
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil || list == nil {
		return nil, nil, errNotJSON
	}
	rows = make([][]json.RawMessage, 0, len(list))
	for _, raw := range list {
		var row []json.RawMessage
		if json.Unmarshal(raw, &row) == nil && row != nil {
			if len(row) < width {
				return nil, nil, errRow
			}
			rows = append(rows, row[:width])
			continue
		}
		var id flexString
		if json.Unmarshal(raw, &id) != nil || id == "" {
			return nil, nil, errRow
		}
		deleted = append(deleted, string(id))
	}
	return rows, deleted, nil
}

// parseRows is Rows for lists in which nothing can be deleted. An answer without
// a list is no empty list: taken for one, it would say that everything is gone.
func parseRows(data json.RawMessage, width int) ([][]json.RawMessage, error) {
	var rows [][]json.RawMessage
	if err := json.Unmarshal(data, &rows); err != nil || rows == nil {
		return nil, errNotJSON
	}
	for i, r := range rows {
		if len(r) < width {
			return nil, errRow
		}
		rows[i] = r[:width]
	}
	return rows, nil
}

func columnList(numbers []int) string {
	s := make([]string, len(numbers))
	for i, n := range numbers {
		s[i] = strconv.Itoa(n)
	}
	return strings.Join(s, ",")
}

// rowReader reads the cells of a row one after the other and keeps the first error.
type rowReader struct {
	cells []json.RawMessage
	err   error
}

func (r *rowReader) next() json.RawMessage {
	if len(r.cells) == 0 {
		r.err = errRow
		return json.RawMessage("null")
	}
	c := r.cells[0]
	r.cells = r.cells[1:]
	return c
}

func (r *rowReader) decode(v any) {
	if err := json.Unmarshal(r.next(), v); err != nil && r.err == nil {
		r.err = fmt.Errorf("%w: a cell has the wrong type", errRow)
	}
}

func (r *rowReader) text() string {
	var s flexString
	r.decode(&s)
	return string(s)
}

func (r *rowReader) number() int64 {
	var n flexInt
	r.decode(&n)
	return int64(n)
}

func (r *rowReader) flag() bool {
	return r.text() == "true"
}

// Collect reads a list to its end.
func Collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var out []T
	for v, err := range seq {
		if err != nil {
			return out, err
		}
		out = append(out, v)
	}
	return out, nil
}
