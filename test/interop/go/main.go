// Drives the unmodified Go SDK: one command a line of JSON on standard input, one answer or event a line on standard output.
// The protocol is described in ../driver.ts. go.mod names v1.1.1 of the SDK, go-v1.0.0.mod the version that reconnects.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

type command struct {
	ID           int    `json:"id"`
	Command      string `json:"command"`
	Peer         string `json:"peer"`
	Certificates string `json:"certificates"`
	Label        string `json:"label"`
	Topic        string `json:"topic"`
	Payload      []byte `json:"payload"`
	// Of private topics: the file with the private key, and those with the public keys.
	KeyFile        string   `json:"keyFile"`
	PublicKeyFiles []string `json:"publicKeyFiles"`
}

type answer struct {
	ID       int      `json:"id"`
	OK       bool     `json:"ok"`
	Payload  []byte   `json:"payload,omitempty"`
	Topics   []string `json:"topics,omitempty"`
	SDK      string   `json:"sdk,omitempty"`
	Messages int      `json:"messages,omitempty"`
	Code     int      `json:"code,omitempty"`
	Error    string   `json:"error,omitempty"`
}

type message struct {
	Event   string `json:"event"`
	Topic   string `json:"topic"`
	Payload []byte `json:"payload"`
}

var output sync.Mutex

func writeLine(value interface{}) {
	line, err := json.Marshal(value)
	if err != nil {
		fmt.Fprintln(os.Stderr, "a line cannot be written:", err)
		os.Exit(1)
	}
	output.Lock()
	defer output.Unlock()
	os.Stdout.Write(append(line, '\n'))
}

func main() {
	driver := newDriver()
	input := bufio.NewReader(os.Stdin)
	for {
		line, err := input.ReadBytes('\n')
		if err != nil {
			return // The harness is gone. Close() of the SDK would spin, so the process just ends.
		}
		var request command
		if err := json.Unmarshal(line, &request); err != nil {
			fmt.Fprintln(os.Stderr, "not a command:", err)
			os.Exit(1)
		}
		// Sending blocks until the answer has come, which for this SDK may be never.
		switch request.Command {
		case "unicast", "multicast", "unicastPrivate", "multicastPrivate":
			go func() { writeLine(driver.run(request)) }()
		default:
			writeLine(driver.run(request))
		}
	}
}
