// Reads a JSON list of texts from standard input and writes what kubectl makes of each, as JSON.
//
//	go run . document < texts.json    each text is one document, read by sigs.k8s.io/yaml
//	go run . stream   < texts.json    each text is a file, read as `kubectl apply -f` reads it
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	kyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

type verdict struct {
	// The values as JSON: of one document, or of all documents up to the first error.
	Values []json.RawMessage `json:"values"`
	// Why the text, or the rest of it, was refused.
	Error string `json:"error,omitempty"`
	// Whether a mapping repeats a key; of a document only.
	Duplicates bool `json:"duplicates,omitempty"`
}

func main() {
	var texts []string
	if err := json.NewDecoder(os.Stdin).Decode(&texts); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	judge := document
	if len(os.Args) > 1 && os.Args[1] == "stream" {
		judge = stream
	}
	verdicts := make([]verdict, len(texts))
	for i, text := range texts {
		verdicts[i] = judge(text)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	if err := out.Encode(verdicts); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func document(text string) (v verdict) {
	defer func() {
		if problem := recover(); problem != nil {
			v = verdict{Error: fmt.Sprint("panic: ", problem)}
		}
	}()
	value, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return verdict{Error: err.Error()}
	}
	v.Values = []json.RawMessage{value}
	if _, err := yaml.YAMLToJSONStrict([]byte(text)); err != nil {
		v.Duplicates = strings.Contains(err.Error(), "already set in map")
	}
	return v
}

func stream(text string) (v verdict) {
	defer func() {
		if problem := recover(); problem != nil {
			v.Error = fmt.Sprint("panic: ", problem)
		}
	}()
	decoder := kyaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); errors.Is(err, io.EOF) {
			return v
		} else if err != nil {
			v.Error = err.Error()
			return v
		}
		if len(raw) > 0 && string(raw) != "null" {
			v.Values = append(v.Values, raw)
		}
	}
}
