package appsuite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// ImportCSV adds contacts to a folder by CSV upload, which costs a fraction of
// the requests of single writes. Use it for folders that are known to be empty
// and for nothing else: OX 8.19 adds every row again on a repeated import, and
// releases 7.8 to 7.10 match rows with what is there, by name, and can overwrite
// a namesake.
//
// The contacts go up in chunks of [Options.ImportChunk], and the number of rows
// answered is compared with the number sent: a server with an import limit drops
// the rest of a file without a word. It counts lines, so it can also cut a contact
// whose values hold line breaks in the middle: do not import such. There is one result per contact. A row that
// was written with a warning (for instance without an address that OX found
// wrong) has both its id and Err set.
//
// The error is set when not all chunks were sent and answered, as with
// [Session.Write]. Values longer than their column are refused here, because OX
// would cut them silently.
func (s *Session) ImportCSV(ctx context.Context, folder FolderID, cols []Column, contacts []Contact) ([]Result, error) {
	rq := &Request{Module: "import", Action: "CSV", Subject: "folder " + string(folder)}
	for _, c := range contacts {
		for _, col := range cols {
			if l := col.Limit(); l > 0 && len([]rune(c.Fields[col])) > l {
				return nil, &Error{Op: rq.op(), Subject: rq.Subject, Kind: ErrTooLong,
					Err: fmt.Errorf("field %s holds at most %d characters", col, l)}
			}
		}
	}
	results := make([]Result, 0, len(contacts))
	var failure error
	for chunk := range slices.Chunk(contacts, s.c.opts.ImportChunk) {
		if failure != nil {
			for range chunk {
				results = append(results, Result{Folder: folder, Err: &Error{Op: rq.op(), Subject: rq.Subject, Kind: ErrNotSent}})
			}
			continue
		}
		got, err := s.importChunk(ctx, folder, cols, chunk)
		results = append(results, got...)
		failure = err
	}
	return results, failure
}

func (s *Session) importChunk(ctx context.Context, folder FolderID, cols []Column, contacts []Contact) ([]Result,
	error) {
	var form bytes.Buffer
	mw := multipart.NewWriter(&form)
	part, err := mw.CreateFormFile("file", "contacts.csv")
	if err == nil {
		err = WriteCSV(part, cols, slices.Values(contacts))
	}
	if err == nil {
		err = mw.Close()
	}
	rq := &Request{
		Method: http.MethodPost, Module: "import", Action: "CSV", Subject: "folder " + string(folder),
		Params: url.Values{"folder": {string(folder.Plain())}, "charset": {"UTF-8"}, "force_json_response": {"true"}},
		raw:    form.Bytes(), contentType: mw.FormDataContentType(),
	}
	all := func(err error) []Result {
		out := make([]Result, len(contacts))
		for i := range out {
			out[i] = Result{Folder: folder, Err: err}
		}
		return out
	}
	if err != nil {
		err = invalid(rq, err)
		return all(err), err
	}
	resp, err := s.call(ctx, rq)
	if err != nil {
		e := &Error{Op: rq.op(), Subject: rq.Subject, Kind: ErrNotSent, Err: err}
		if errors.Is(err, ErrUncertain) {
			e.Kind = ErrUncertain
		}
		if reported, ok := errors.AsType[*Error](err); ok && reported.Code != "" {
			return all(err), nil // OX refused the file: every row is answered
		}
		return all(e), err
	}
	var rows []json.RawMessage
	if err := json.Unmarshal(resp.Data, &rows); err != nil || len(rows) > len(contacts) {
		err := &Error{Op: rq.op(), Subject: rq.Subject, Kind: ErrUncertain, Err: errNotJSON}
		return all(err), err
	}
	results := make([]Result, len(contacts))
	for i := range results {
		results[i].Folder = folder
		if i >= len(rows) {
			results[i].Err = &Error{Op: rq.op(), Subject: rq.Subject, Kind: ErrQuota,
				Err: errors.New("row dropped by the server's import limit")}
			continue
		}
		results[i].Err = importRow(rq, rows[i], &results[i])
	}
	return results, nil
}

// importRow reads what became of one row.
func importRow(rq *Request, raw json.RawMessage, r *Result) error {
	var row struct {
		ID       flexString `json:"id"`
		Modified flexInt    `json:"last_modified"`
	}
	var env envelope
	if json.Unmarshal(raw, &row) != nil || json.Unmarshal(raw, &env) != nil {
		return &Error{Op: rq.op(), Subject: rq.Subject, Kind: ErrUncertain, Err: errNotJSON}
	}
	r.Contact, r.Timestamp = ContactID(row.ID), Timestamp(row.Modified)
	problem, _ := env.problem()
	if problem == nil {
		if row.ID == "" {
			return &Error{Op: rq.op(), Subject: rq.Subject, Kind: ErrUncertain, Err: errors.New("row without id")}
		}
		return nil
	}
	problem.Op, problem.Subject = rq.op(), rq.Subject
	if problem.Kind == ErrOther {
		problem.Kind = ErrInvalid
	}
	return problem
}

// ExportCSV reads a folder as OX's own CSV, for which the account needs to read
// all objects of the folder. Without columns OX gives all. The caller closes the
// reader.
func (s *Session) ExportCSV(ctx context.Context, folder FolderID, cols ...Column) (io.ReadCloser, error) {
	rq := &Request{Module: "export", Action: "CSV", Subject: "folder " + string(folder), Plain: true,
		Params: url.Values{"folder": {string(folder.Plain())}}}
	if len(cols) > 0 {
		var numbers []int
		for _, c := range cols {
			if !c.Known() {
				return nil, invalid(rq, fmt.Errorf("%q is not a column", string(c)))
			}
			numbers = append(numbers, c.Number())
		}
		rq.Params.Set("columns", columnList(numbers))
	}
	resp, err := s.call(ctx, rq)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(resp.ContentType, "text/csv") {
		return nil, protocolError(rq, errors.New("answer is not CSV"))
	}
	return io.NopCloser(bytes.NewReader(resp.Body)), nil
}
