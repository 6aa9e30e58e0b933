package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/ictmedia/schoolmail/internal/atomicfile"
)

const readable fs.FileMode = 0o644

// Read reads a status file. The error is [fs.ErrNotExist] if no run has written one.
func Read(file string) (*Status, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	var s Status
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("monitor: %s is no status file: %w", file, err)
	}
	if s.Format != Format {
		return nil, fmt.Errorf("monitor: %s has format %d; this program knows %d", file, s.Format, Format)
	}
	return &s, nil
}

// Write replaces the status file, and the file for a Prometheus textfile collector
// unless metrics is "". What the file said of the last success is kept; a file that
// cannot be read counts as none.
func (s *Status) Write(file, metrics string) error {
	before, err := Read(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		before = nil // a damaged status must not keep the next one from being written
	}
	s.follows(before)
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return fmt.Errorf("monitor: %w", err)
	}
	if err := atomicfile.WriteBytes(file, readable, append(b, '\n')); err != nil {
		return fmt.Errorf("monitor: %w", err)
	}
	if metrics == "" {
		return nil
	}
	if err := atomicfile.Write(metrics, readable, func(w io.Writer) error { return s.WriteMetrics(w) }); err != nil {
		return fmt.Errorf("monitor: %w", err)
	}
	return nil
}
