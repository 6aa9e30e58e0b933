// Package report turns what a run did into something to read: plain text for
// a terminal or a mail, JSON for other programs, and HTML pages in German, French and
// English that need nothing else: no script, no font, no other file. They can be
// printed, attached to a mail, and read by a screen reader; every picture has its
// figures in a table beside it.
//
//	[Report]           of a run, for those who operate it
//	[Plan]             to be read before it is approved
//	[School]           what one school has to know, and nothing else
//	[Acknowledgement]  what the school administration has to correct
//
// What a page says stands in texts/, a file for each language.
//
// The package knows nothing about plans or servers. Callers fill a [Report]
// with plain numbers and texts; an empty list leaves its part of the report out.
//
// A report names people by their user names where something went wrong with
// them. Write it where only the operators can read it.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/ictmedia/schoolmail"
)

// Report is what is reported: a run of a program, made of one or more acts.
type Report struct {
	Title   string    `json:"title"`
	Written time.Time `json:"written"`
	Facts   []Fact    `json:"facts,omitempty"` // what was read, which plan, which config
	Acts    []Act     `json:"acts"`
	// Language of the page: de, fr or en, and English by default; text and JSON are in English.
	Language string `json:"-"`
	// History are the kept runs of the last twelve months and these acts, in any order,
	// for the pictures of the year; they are left out if there is only one day.
	History []Night `json:"-"`
}

// Fact is a line about the run as a whole.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Says  Note   `json:"-"` // the value as a sentence; without a key: Value
}

// Act is a plan that was made and carried out (or only made).
type Act struct {
	Name     string     `json:"name"`
	Day      string     `json:"day,omitempty"`  // the day it was for, ISO 8601
	Plan     string     `json:"plan,omitempty"` // id of the plan
	Notes    []Note     `json:"notes,omitempty"`
	Duration Duration   `json:"duration,omitempty"`
	Steps    []Steps    `json:"steps,omitempty"` // by kind, in the order to show
	Contexts []Fill     `json:"contexts,omitempty"`
	Flows    []Flow     `json:"flows,omitempty"`
	Held     []Held     `json:"held,omitempty"`
	Failures []Failure  `json:"failures,omitempty"`
	Findings []Finding  `json:"findings,omitempty"`
	Requests []Requests `json:"requests,omitempty"`
}

// Steps counts the steps of a kind. Planned = Done + Failed + Skipped once the
// act is over; Held ones come on top.
type Steps struct {
	Kind    string `json:"kind"`
	Planned int    `json:"planned"`
	Done    int    `json:"done"`
	Failed  int    `json:"failed"`
	Skipped int    `json:"skipped"`
	Held    int    `json:"held"`
}

// Fill tells how full a context is.
type Fill struct {
	Context  schoolmail.ContextID `json:"context"`
	Name     string               `json:"name"`
	Capacity int                  `json:"capacity"`
	Before   int                  `json:"before"`
	Peak     int                  `json:"peak,omitempty"` // most at any time; 0: not known
	After    int                  `json:"after"`
}

// Flow is a number of people who went from one context to another. Context 0
// stands for outside: newcomers come from there, leavers go there.
type Flow struct {
	From   schoolmail.ContextID `json:"from"`
	To     schoolmail.ContextID `json:"to"`
	People int                  `json:"people"`
}

// Held is a step that was not done on purpose.
type Held struct {
	Kind    string `json:"kind"`
	Subject string `json:"subject"`
	School  string `json:"school,omitempty"`
	Why     string `json:"why"`
	Guard   string `json:"guard,omitempty"`
}

// Failure is a step that went wrong.
type Failure struct {
	Kind    string `json:"kind"`
	Subject string `json:"subject"`
	Error   string `json:"error"`
	// Cause says what sort of failure it is, for the page to tell what to do: one of
	// [Causes]. "": another one.
	Cause string `json:"cause,omitempty"`
}

// Causes returns the causes of failures of which the page knows what to do.
func Causes() []string {
	return []string{"credentials", "unreachable", "lost-answer", "updating", "taken", "full", "changed", "missing",
		"refused", "copy", "waits", otherCause}
}

// Finding is something that somebody should look at.
type Finding struct {
	Kind  string `json:"kind"`
	Where string `json:"where,omitempty"` // file and line, or the school
	Text  string `json:"text"`
}

// Requests counts what a server was asked.
type Requests struct {
	Server string `json:"server"`
	Count  int    `json:"count"`
}

// Duration is a time.Duration that is "1m2.5s" in JSON.
type Duration time.Duration

// String rounds to something readable.
func (d Duration) String() string {
	t := time.Duration(d)
	switch {
	case t >= time.Minute:
		t = t.Round(time.Second)
	case t >= time.Second:
		t = t.Round(10 * time.Millisecond)
	default:
		t = t.Round(time.Millisecond)
	}
	return t.String()
}

// MarshalText writes the duration unrounded.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	*d = Duration(v)
	return nil
}

// WriteJSON writes the report as indented JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// Sum adds up steps and requests, of an act or of several.
type Sum struct {
	Planned, Done, Failed, Skipped, Held, Requests int
}

// Sum adds up the act.
func (a *Act) Sum() Sum {
	var s Sum
	for _, c := range a.Steps {
		s.Planned += c.Planned
		s.Done += c.Done
		s.Failed += c.Failed
		s.Skipped += c.Skipped
		s.Held += c.Held
	}
	for _, q := range a.Requests {
		s.Requests += q.Count
	}
	return s
}
