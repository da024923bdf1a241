package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.fisco.bcos.sdk.BcosSDK;
import org.fisco.bcos.sdk.BcosSDKException;
import org.fisco.bcos.sdk.amop.AmopCallback;
import org.fisco.bcos.sdk.amop.AmopMsgOut;
import org.fisco.bcos.sdk.amop.AmopResponse;
import org.fisco.bcos.sdk.amop.AmopResponseCallback;
import org.fisco.bcos.sdk.amop.topic.AmopMsgIn;

/** One SDK instance and what it is told to do. A command is answered once, by {@code reply}. */
final class Driver {
    private static final long UNICAST_TIMEOUT_MS = 15_000;

    private final AtomicInteger messages = new AtomicInteger();
    private BcosSDK sdk;
    private String label;

    void run(JsonNode command, ObjectNode answer, Consumer<ObjectNode> reply) throws IOException, BcosSDKException {
        String name = command.path("command").asText();
        String topic = command.path("topic").asText();
        if (sdk == null && !name.equals("connect")) throw new IllegalStateException("not connected");
        switch (name) {
            case "connect" -> {
                connect(command);
                answer.put("sdk", sdkVersion());
            }
            case "subscribe" -> sdk.getAmop().subscribeTopic(topic, new Handler());
            case "unsubscribe" -> sdk.getAmop().unsubscribeTopic(topic);
            case "unicast" -> {
                unicast(topic, command.path("payload").binaryValue(), answer, reply);
                return;
            }
            case "multicast" -> {
                requirePeer();
                sdk.getAmop().broadcastAmopMsg(message(topic, command.path("payload").binaryValue()));
            }
            case "peers" -> {
                // As the demo publisher does: the group's client, then its peers, once.
                ArrayNode topics = answer.putArray("topics");
                sdk.getClient(1).getPeers().getPeers().forEach(peer -> peer.getTopic().forEach(topics::add));
            }
            case "status" -> answer.put("sdk", sdkVersion()).put("messages", messages.get());
            default -> throw new IllegalArgumentException("no such command: " + name);
        }
        reply.accept(answer.put("ok", true));
    }

    private void connect(JsonNode command) throws IOException, BcosSDKException {
        label = command.path("label").asText();
        Path file = Files.createTempFile("amop-interop", ".toml");
        try {
            String certificates = command.path("certificates").asText();
            String peer = command.path("peer").asText();
            Files.writeString(
                    file,
                    "[cryptoMaterial]\ncertPath = \"" + certificates + "\"\n[network]\npeers = [\"" + peer + "\"]\n");
            sdk = BcosSDK.build(file.toString());
        } finally {
            Files.delete(file);
        }
    }

    private void unicast(String topic, byte[] payload, ObjectNode answer, Consumer<ObjectNode> reply) {
        requirePeer();
        sdk.getAmop().sendAmopMsg(message(topic, payload), new AmopResponseCallback() {
            @Override
            public void onResponse(AmopResponse response) {
                int code = response.getErrorCode();
                answer.put("ok", code == 0);
                if (code == 0) answer.put("payload", response.getAmopMsgIn().getContent());
                else answer.put("code", code).put("error", response.getErrorMessage());
                reply.accept(answer);
            }
        });
    }

    /** Without a connection the SDK sends nothing and never calls back. */
    private void requirePeer() {
        if (sdk.getChannel().getAvailablePeer().isEmpty()) throw new IllegalStateException("no available peer");
    }

    private static AmopMsgOut message(String topic, byte[] payload) {
        AmopMsgOut message = new AmopMsgOut();
        message.setTopic(topic);
        message.setContent(payload);
        message.setTimeout(UNICAST_TIMEOUT_MS);
        return message;
    }

    /** The jar that the SDK was loaded from. */
    private static String sdkVersion() {
        Path jar = Path.of(BcosSDK.class.getProtectionDomain().getCodeSource().getLocation().getPath());
        return jar.getFileName().toString().replace(".jar", "");
    }

    /** Answers every message with the label and what came. */
    private final class Handler extends AmopCallback {
        @Override
        public byte[] receiveAmopMsg(AmopMsgIn message) {
            messages.incrementAndGet();
            Main.write(Main.event("message").put("topic", message.getTopic()).put("payload", message.getContent()));
            byte[] prefix = (label + ":").getBytes(StandardCharsets.UTF_8);
            byte[] answer = new byte[prefix.length + message.getContent().length];
            System.arraycopy(prefix, 0, answer, 0, prefix.length);
            System.arraycopy(message.getContent(), 0, answer, prefix.length, message.getContent().length);
            return answer;
        }
    }
}
