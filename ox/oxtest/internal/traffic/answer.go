package traffic

import (
	"context"
	"io"
	"net/http"
	"time"
)

// AnswerWriter counts an answer, slows it down and cuts it off.
type AnswerWriter struct {
	W     http.ResponseWriter
	N     int64
	Limit int
	Pause time.Duration
	Ctx   context.Context
}

func (a *AnswerWriter) Header() http.Header    { return a.W.Header() }
func (a *AnswerWriter) WriteHeader(status int) { a.W.WriteHeader(status) }

func (a *AnswerWriter) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		part := p
		if a.Pause > 0 && len(part) > 4096 {
			part = part[:4096]
		}
		cut := a.Limit > 0 && a.N+int64(len(part)) >= int64(a.Limit)
		if cut {
			part = part[:int64(a.Limit)-a.N]
		}
		n, err := a.W.Write(part)
		total += n
		a.N += int64(n)
		if err != nil {
			return total, err
		}
		if cut || a.Pause > 0 {
			if f, ok := a.W.(http.Flusher); ok {
				f.Flush()
			}
		}
		if cut {
			panic(http.ErrAbortHandler)
		}
		if a.Pause > 0 && !Sleep(a.Ctx, a.Pause) {
			return total, io.ErrClosedPipe
		}
		p = p[len(part):]
	}
	return total, nil
}
