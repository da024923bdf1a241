package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/**
 * Drives the unmodified Java SDK: one command a line of JSON on standard input, one answer or event a line on standard output.
 * The protocol is described in ../driver.ts.
 */
public final class Main {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final PrintStream OUTPUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);

    private Main() {}

    public static void main(String[] arguments) throws IOException {
        // Libraries that print must not stand between the answers.
        System.setOut(System.err);
        Driver driver = new Driver();
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            JsonNode command = JSON.readTree(line);
            ObjectNode answer = JSON.createObjectNode().put("id", command.path("id").asInt());
            try {
                driver.run(command, answer, Main::write);
            } catch (Exception | LinkageError error) {
                write(answer.put("ok", false).put("error", error.toString()));
            }
        }
        // The SDK's threads would keep the process alive.
        Runtime.getRuntime().halt(0);
    }

    static ObjectNode event(String name) {
        return JSON.createObjectNode().put("event", name);
    }

    static synchronized void write(ObjectNode line) {
        OUTPUT.println(line);
        OUTPUT.flush();
    }
}
