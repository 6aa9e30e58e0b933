package ox

import (
	"context"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxtask"
)

// Jobs are the background jobs of a context, which moves of files and databases
// start.
type Jobs struct {
	c    *Client
	id   schoolmail.ContextID
	cred Credentials
}

// Jobs returns the jobs of a context, seen by the master administrator. The
// numbers that [Contexts.MoveDatabase] and [Contexts.MoveFilestore] give belong there.
func (c *Client) Jobs(id schoolmail.ContextID) *Jobs { return &Jobs{c: c, id: id, cred: c.master} }

func (s *Jobs) call(name string, op *soap.Operation, req any) call {
	return call{name: name, op: op, context: s.id, req: req, cred: s.cred}
}

// List returns the jobs as the preformatted table that the server makes.
func (s *Jobs) List(ctx context.Context) (string, error) {
	r, err := invoke[oxtask.GetJobListResponse](ctx, s.c, s.call("list jobs", oxtask.OpGetJobList, &oxtask.GetJobList{}))
	if err != nil {
		return "", err
	}
	return val(r.Return_), nil
}

// Result returns what a job left, as text; a failed job is [ErrJob].
func (s *Jobs) Result(ctx context.Context, job int) (string, error) {
	r, err := invoke[oxtask.GetTaskResultsResponse](ctx, s.c, s.call("read result of job", oxtask.OpGetTaskResults,
		&oxtask.GetTaskResults{Id: new(int32Of(job))}))
	if err != nil {
		return "", err
	}
	if r.Return_ == nil {
		return "", nil
	}
	return strings.TrimSpace(r.Return_.Text), nil
}

// Delete removes a job from the list.
func (s *Jobs) Delete(ctx context.Context, job int) error {
	k := s.call("delete job", oxtask.OpDeleteJob, &oxtask.DeleteJob{I: new(int32Of(job))})
	return s.c.do(ctx, &k)
}

// Flush removes all finished jobs from the list.
func (s *Jobs) Flush(ctx context.Context) error {
	k := s.call("flush jobs", oxtask.OpFlush, &oxtask.Flush{})
	return s.c.do(ctx, &k)
}
