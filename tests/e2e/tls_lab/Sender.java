import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;

/** Posts an event as management systems written in Java do; prints the status and body, or what went wrong. */
public final class Sender {
    public static void main(String[] urls) {
        for (String url : urls) {
            try {
                System.out.println(send(url).replaceAll("\\s+", " "));
            } catch (IOException error) {
                System.out.println(error.toString().replaceAll("\\s+", " "));
            }
        }
    }

    private static String send(String url) throws IOException {
        HttpURLConnection sender = (HttpURLConnection) URI.create(url).toURL().openConnection();
        sender.setConnectTimeout(20_000);
        sender.setReadTimeout(20_000);
        sender.setDoOutput(true);
        try (OutputStream body = sender.getOutputStream()) {
            body.write("<event><properties><city>Victoria</city></properties></event>".getBytes(StandardCharsets.UTF_8));
        }
        int status = sender.getResponseCode();
        InputStream answer = status < 400 ? sender.getInputStream() : sender.getErrorStream();
        return status + " " + new String(answer.readAllBytes(), StandardCharsets.UTF_8);
    }
}
