package appsuite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Op is a write that [Session.Write] can carry out: [CreateFolder],
// [UpdateFolder], [DeleteFolder], [CreateContact], [UpdateContact] or
// [DeleteContact].
type Op interface {
	// request builds the call, or says why it cannot be made.
	request() (*Request, error)
	// result reads a successful answer into r.
	result(*Response, *Result) error
}

// Result is what became of an [Op]. Folder and Contact are the object's ids, the
// new one's after a create.
type Result struct {
	Folder    FolderID
	Contact   ContactID
	Timestamp Timestamp // of the object after the write
	Err       error
}

// Write carries out many writes with few requests (up to [Options.BatchSize] each,
// one request after the other) and returns one result per op, in the order of ops.
// An op that fails does not stop the others; look at every Result.Err.
//
// Write itself returns an error only if not all ops were sent and answered. Then
// the results of those sent last are [ErrUncertain] (the server may have carried
// them out: look before repeating) and of those not sent [ErrNotSent].
//
// Ops of one call must not depend on each other: whether OX carries out the
// entries of a request one after the other is not documented.
func (s *Session) Write(ctx context.Context, ops []Op) ([]Result, error) {
	results := make([]Result, len(ops))
	requests := make([]*Request, len(ops))
	var todo []int
	for i, op := range ops {
		rq, err := op.request()
		if err != nil {
			results[i].Err = err
			continue
		}
		requests[i] = rq
		todo = append(todo, i)
	}
	var failure error
	for len(todo) > 0 {
		chunk := todo[:min(len(todo), s.writes.next(s.c.opts.BatchSize))]
		todo = todo[len(chunk):]
		if failure != nil {
			for _, i := range chunk {
				results[i].Err = &Error{Op: requests[i].op(), Subject: requests[i].Subject, Kind: ErrNotSent}
			}
			continue
		}
		batch := make([]*Request, len(chunk))
		for k, i := range chunk {
			batch[k] = requests[i]
		}
		answers, err := s.multiple(ctx, batch, false)
		if err != nil {
			failure = err
			for _, i := range chunk {
				results[i].Err = itemError(requests[i], err)
			}
			continue
		}
		for k, i := range chunk {
			finish(ops[i], requests[i], answers[k], &results[i])
		}
	}
	return results, failure
}

// itemError gives an item the failure of the request that carried it.
func itemError(rq *Request, err error) error {
	e := &Error{Op: rq.op(), Subject: rq.Subject, Kind: ErrNotSent, Err: err}
	if errors.Is(err, ErrUncertain) || errors.Is(err, ErrProtocol) {
		e.Kind = ErrUncertain
	}
	return e
}

// codeUnchanged is what older servers answer to an update that changes nothing.
const codeUnchanged = "CON-0122"

func finish(op Op, rq *Request, a answer, r *Result) {
	err := a.err
	if e, ok := errors.AsType[*Error](err); ok && e.Code == codeUnchanged {
		err = nil
	}
	if err == nil {
		err = op.result(a.resp, r)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				err = &Error{Kind: ErrUncertain, Err: err}
			}
		}
	}
	r.Err = withRequest(rq, err)
}

// withRequest completes an error with the operation it belongs to.
func withRequest(rq *Request, err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Op == "" {
		e.Op, e.Subject = rq.op(), rq.Subject
	}
	return err
}

// one carries out a single write with a request of its own.
func (s *Session) one(ctx context.Context, op Op) Result {
	rq, err := op.request()
	if err != nil {
		return Result{Err: err}
	}
	resp, err := s.call(ctx, rq)
	if resp == nil {
		resp = &Response{}
	}
	var r Result
	finish(op, rq, answer{resp, err}, &r)
	return r
}

// answer is one element of the answer to "multiple".
type answer struct {
	resp *Response
	err  error
}

// multiple packs requests into one. Items that failed because the session was
// gone are sent once more in a new one.
func (s *Session) multiple(ctx context.Context, requests []*Request, readOnly bool) ([]answer, error) {
	answers := make([]answer, len(requests))
	pending := make([]int, len(requests))
	for i := range requests {
		pending[i] = i
	}
	for attempt := 0; ; attempt++ {
		s.mu.Lock()
		serial := s.serial
		s.mu.Unlock()
		batch := make([]*Request, len(pending))
		for k, i := range pending {
			batch[k] = requests[i]
		}
		got, err := s.multipleOnce(ctx, batch, readOnly)
		if err != nil {
			if attempt > 0 { // the others are answered already
				for _, i := range pending {
					answers[i] = answer{&Response{}, itemError(requests[i], err)}
				}
				return answers, nil
			}
			return nil, err
		}
		var expired []int
		for k, i := range pending {
			answers[i] = got[k]
			if errors.Is(got[k].err, ErrSession) {
				expired = append(expired, i)
			}
		}
		if len(expired) == 0 || attempt > 0 {
			return answers, nil
		}
		if err := s.renew(ctx, serial); err != nil {
			return answers, nil // the items say that the session is gone
		}
		pending = expired
	}
}

func (s *Session) multipleOnce(ctx context.Context, requests []*Request, readOnly bool) ([]answer, error) {
	entries := make([]map[string]any, len(requests))
	for i, rq := range requests {
		e := map[string]any{"module": rq.Module, "action": rq.Action}
		for k := range rq.Params {
			e[k] = rq.Params.Get(k)
		}
		if rq.Body != nil {
			e["data"] = rq.Body
		}
		entries[i] = e
	}
	rq := &Request{Method: http.MethodPut, Module: "multiple", Params: map[string][]string{"continue": {"true"}},
		Body: entries, ReadOnly: readOnly, Subject: fmt.Sprintf("of %d items", len(entries)), Plain: true}
	s.c.count(func(st *Stats) {
		for _, r := range requests {
			st.Items[r.op()]++
		}
	})
	sizes := &s.writes
	if readOnly {
		sizes = &s.reads
	}
	resp, err := s.call(ctx, rq)
	if err != nil {
		if errors.Is(err, ErrUncertain) || errors.Is(err, ErrUnavailable) {
			sizes.lost()
		}
		return nil, err
	}
	sizes.took(len(requests), resp.took)
	var raw []json.RawMessage
	if err := json.Unmarshal(bytes.TrimSpace(resp.Body), &raw); err != nil || len(raw) != len(requests) {
		e := &Error{Op: rq.op(), Subject: rq.Subject, Kind: ErrProtocol, Status: resp.Status,
			Err: errors.New("the number of answers is not that of the items")}
		return nil, e
	}
	out := make([]answer, len(raw))
	for i, body := range raw {
		out[i] = parseItem(requests[i], body, readOnly)
	}
	return out, nil
}

// parseItem reads the envelope of one item.
func parseItem(rq *Request, body json.RawMessage, readOnly bool) answer {
	env, err := parseEnvelope(body)
	if err != nil {
		kind := ErrUncertain
		if readOnly {
			kind = ErrProtocol
		}
		return answer{&Response{}, &Error{Op: rq.op(), Subject: rq.Subject, Kind: kind, Err: err}}
	}
	resp := &Response{Status: http.StatusOK, Data: env.Data, Timestamp: Timestamp(env.Timestamp), Body: body}
	if string(resp.Data) == "null" {
		resp.Data = nil
	}
	problem, fatal := env.problem()
	if problem == nil {
		return answer{resp, nil}
	}
	problem.Op, problem.Subject, problem.Status = rq.op(), rq.Subject, http.StatusOK
	if fatal {
		return answer{resp, problem}
	}
	resp.Warning = problem
	return answer{resp, nil}
}
