// Package eventlog writes what happens in a run into a log, by package log/slog: for
// syslog, or journald, which listens at the same place, as well as for any other
// handler. A log names nobody: people are record ids in the ids of steps, and errors
// of single steps, which may name them, stand in the run's report only.
package eventlog

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site"
)

// Log is an observer of runs.
type Log struct{ to *slog.Logger }

// New returns an observer that writes to a handler.
func New(h slog.Handler) *Log { return &Log{slog.New(h)} }

// Observe writes an event. Steps are written when they have failed, or were skipped.
func (l *Log) Observe(e site.Event) {
	switch e.Stage {
	case site.Reading:
		l.to.Info("reading the export and the servers")
	case site.Contended:
		l.to.Warn("the district is held by another run", "holder", e.Other.String())
	case site.Applying:
		h := e.Act.Plan.Header
		l.to.Info("applying", "plan", h.ID, "day", h.Now.String(), "steps", len(e.Act.Plan.Steps),
			"held", len(e.Act.Plan.Held))
	case site.Waiting:
		l.to.Warn("waiting for Open-Xchange to end what an earlier run began", "wait", e.Wait)
	case site.Delayed:
		l.to.Warn(e.Notice)
	case site.Stepped:
		switch o := e.Step.Outcome; o.Status {
		case schoolmail.StatusFailed:
			l.to.Error("step failed", "step", o.Step, "kind", string(o.Kind))
		case schoolmail.StatusSkipped:
			l.to.Warn("step skipped", "step", o.Step, "kind", string(o.Kind))
		}
	case site.Applied:
		r := e.Act.Result
		level := slog.LevelInfo
		if r.Count(schoolmail.StatusFailed) > 0 || e.Act.Err != nil {
			level = slog.LevelError
		}
		l.to.Log(context.Background(), level, "applied", "plan", e.Act.Plan.Header.ID,
			"done", r.Count(schoolmail.StatusDone), "failed", r.Count(schoolmail.StatusFailed),
			"skipped", r.Count(schoolmail.StatusSkipped), "seconds", e.Act.Applied.Seconds())
	}
}

// Ended writes the end of a run with the program's exit status.
func (l *Log) Ended(status int) {
	level := slog.LevelInfo
	if status != 0 {
		level = slog.LevelWarn
	}
	l.to.Log(context.Background(), level, "run ended", "status", status)
}

// leveled is what a system's log offers: a line at a level.
type leveled interface {
	Info(string) error
	Warning(string) error
	Err(string) error
	Debug(string) error
}

// lines is a handler that writes lines of key=value without time and level, which the
// system's log has itself.
type lines struct {
	mu   *sync.Mutex
	text *bytes.Buffer
	slog.Handler
	to leveled
}

func newLines(to leveled) *lines {
	text := &bytes.Buffer{}
	inner := slog.NewTextHandler(text, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}})
	return &lines{mu: &sync.Mutex{}, text: text, Handler: inner, to: to}
}

// Handle implements slog.Handler.
func (h *lines) Handle(ctx context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text.Reset()
	if err := h.Handler.Handle(ctx, r); err != nil {
		return fmt.Errorf("eventlog: %w", err)
	}
	line := strings.TrimSuffix(h.text.String(), "\n")
	switch {
	case r.Level >= slog.LevelError:
		return h.to.Err(line)
	case r.Level >= slog.LevelWarn:
		return h.to.Warning(line)
	case r.Level >= slog.LevelInfo:
		return h.to.Info(line)
	}
	return h.to.Debug(line)
}

// WithAttrs implements slog.Handler.
func (h *lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	n := *h
	n.Handler = h.Handler.WithAttrs(attrs)
	return &n
}

// WithGroup implements slog.Handler.
func (h *lines) WithGroup(name string) slog.Handler {
	n := *h
	n.Handler = h.Handler.WithGroup(name)
	return &n
}
